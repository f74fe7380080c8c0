#pragma once
// What a checkpoint says of its run, and the network in it.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "layers/module.h"
#include "training/config.h"

namespace limulus {

// The network, names and normalization of a checkpoint, for evaluate and predict.
struct TrainedModel {
  TrainConfig config;
  std::vector<std::string> classes;
  Normalization normalization;
  std::shared_ptr<Module> model;  // in evaluation mode
  // fingerprint() of the images that it was trained on, and of those held out; 0: not known.
  std::uint64_t train_print = 0, test_print = 0;
  // Layers whose weights the file does not have: they have those that the run began with. Empty,
  // except for files of save_convolutions() that were asked for.
  std::vector<std::string> drawn;
};
TrainConfig load_config(const std::filesystem::path& path);
// FileError, with each difference, unless these are the settings of the checkpoint's run. Only the
// place of the data and the device may differ.
void check_same_run(const std::filesystem::path& checkpoint, const TrainConfig& config);
// What the network is used for. Its answers are worth something only if all of it was trained; its
// maps and filters, if the convolutions were.
enum class Needs { all_layers, convolutions };
// FileError where the file has less than is needed.
TrainedModel load_trained(const std::filesystem::path& path, const std::string& device_name,
                          Needs needs = Needs::all_layers);

}  // namespace limulus

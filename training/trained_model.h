#pragma once
// The network in a checkpoint, ready to be used: what predict, evaluate, look and figure begin
// with.
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

// The settings of its run. FileError if it is no checkpoint.
TrainConfig load_config(const std::filesystem::path& path);

// What the network is used for. Its answers are worth something only if all of it was trained; its
// maps and filters, if the convolutions were.
enum class Needs { all_layers, convolutions };
// FileError where the file has less than is needed.
TrainedModel load_trained(const std::filesystem::path& path, const std::string& device_name,
                          Needs needs = Needs::all_layers);

}  // namespace limulus

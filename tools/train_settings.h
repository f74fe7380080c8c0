#pragma once
// The options of `limulus train`, in one table: what each of them sets, and what becomes of it when
// a run goes on.
#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "distributed/communicator.h"
#include "layers/module.h"
#include "training/config.h"

namespace limulus::tools {

struct TrainArguments {
  std::string model = "alexnet", recipe = "default", data, device = "cpu", out, log, tensorboard,
              init, freeze;
  std::int64_t epochs = 0, batch = 0, micro_batches = 1, snapshots = 0;  // 0 snapshots: none
  std::int64_t shuffle_buffer = 0;
  std::uint64_t seed = 1;
  double lr = 0, momentum = 0, weight_decay = 0, dropout = 0, zoom = 1, colour_noise = 0;
  std::string schedule, rule, exchange;
  std::optional<std::string> layout, test_folder;
  double checkpoint_minutes = 1;
  int threads = 0, workers = 1;
  std::size_t cache = std::size_t{1} << 30;
  bool resume = false, strict = false, batch_norm = false, vertical_flip = false,
       flush_denormals = false, live = false, find_rate = false;
};

void add_train_options(CLI::App& c, TrainArguments& a);

std::filesystem::path checkpoint_in(const std::string& out);

// runs/alexnet, runs/net of a file nets/net.onnx.
std::string default_out(const std::string& model);

// The file whose weights a new run begins with: that of --init, else the .onnx file that the
// network is; "" where all of them are drawn, and where a run goes on.
std::string initial_file(const TrainArguments& a);

// The settings of a new run: those of its network and recipe, with what was given on the command
// line. With --resume: those of the checkpoint; what is given has to be the same, but for where the
// pictures are and the device. DeviceError, with the way out, where the checkpoint's device is not
// there. `ranks`, if not null, begin together: with --resume, rank 0 alone has the checkpoint.
TrainConfig chosen_config(const CLI::App& command, const TrainArguments& a, Communicator* ranks);

}  // namespace limulus::tools

// The JSON texts in a checkpoint's metadata. The input has one in each line:
//
//     "config"          the settings
//     "classes"         their names
//     "normalization"   what is subtracted from a pixel
//     "state"           how far the training has come
//     data/mean         a tensor's description: {"dtype": "F32", "shape": [3, 28, 28], ...}
//
// An empty line stands for the settings of a run of LeNet-5, ten classes, that has begun. The texts
// are put into a file whose tensors fit that network; it is opened as a trained network, and the
// run resumed from it.
#include <algorithm>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "harness.h"
#include "temporary_folder.h"
#include "tiny_task.h"
#include "training/trained_model.h"
#include "training/trainer.h"

using namespace limulus;

namespace {

struct Run {
  Run() {
    write_tiny_mnist(folder.path);
    TrainConfig config = tiny_config(folder.path);
    config.device = "reference";
    trainer = std::make_unique<Trainer>(config, TrainerOptions{.out = folder / "run"});
    for (const char* prefix : {"", "velocity/"})
      for (const auto& [name, tensor] : trainer->model().parameters())
        tensors.emplace_back(prefix + name, tensor.shape().sizes());
  }

  // A checkpoint with this metadata, and a mean if it has a description. All numbers are zero, and
  // take no memory. Returns its size.
  std::size_t write(const nlohmann::json& metadata, const std::string& mean) {
    nlohmann::json all = {{"__metadata__", metadata}};
    std::size_t at = 0;
    if (!mean.empty()) {
      all["data/mean"] = nlohmann::json::parse(mean);
      const nlohmann::json& end = all["data/mean"].at("data_offsets").at(1);
      if (end.is_number_unsigned()) at = std::min(end.get<std::size_t>(), std::size_t{1} << 20);
    }
    for (const auto& [name, sizes] : tensors) {
      const std::size_t end = at + 4 * static_cast<std::size_t>(Shape(sizes).numel());
      all[name] = {{"dtype", "F32"}, {"shape", sizes}, {"data_offsets", {at, end}}};
      at = end;
    }
    const std::string header = all.dump();
    const std::uint64_t length = header.size();
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &length, 8);
    bytes += header;
    file.set({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
    file.resize(bytes.size() + at);
    return bytes.size() + at;
  }

  TemporaryFolder folder;
  fuzz::MemoryFile file;
  std::unique_ptr<Trainer> trainer;
  std::vector<std::pair<std::string, std::vector<std::int64_t>>> tensors;  // name, shape
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t input_size) {
  static Run run;
  std::istringstream lines(std::string(reinterpret_cast<const char*>(bytes), input_size));
  nlohmann::json metadata = {{"limulus", "1"}};
  std::string line;
  for (const char* key : {"config", "classes", "normalization", "state"})
    if (std::getline(lines, line)) metadata[key] = line;
  if (metadata["config"] == "") metadata["config"] = run.trainer->config().to_json();
  line.clear();
  std::getline(lines, line);
  std::size_t size = 0;
  try {
    size = run.write(metadata, line);
  } catch (const nlohmann::json::exception&) {  // a text that is not UTF-8, or no description
    return 0;
  }
  const std::string& path = run.file.path();
  TrainConfig config;
  if (!fuzz::accepted(size, path, [&] { config = load_config(path); })) return 0;
  fuzz::require(differences(config, TrainConfig::from_json(config.to_json())).empty(),
                "settings that are written are those that are read");
  // The networks that are small: others would be made, and then found not to fit the tensors.
  if (config.model == "lenet5" || config.model == "cifar-convnet")
    fuzz::accepted(size, path, [&] {
      const TrainedModel trained = load_trained(path, "reference");
      try {
        check(trained.config.augment, trained.normalization);
      } catch (const Error&) {  // as classify() would
      }
    });
  if (fuzz::accepted(size, path, [&] { run.trainer->resume(path); }))
    fuzz::require(run.trainer->epoch() >= 0 && run.trainer->epoch() <= config.epochs,
                  "a training goes on within its epochs");
  return 0;
}

#include "training/trained_model.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "backends/registry.h"
#include "core/checked.h"
#include "core/error.h"
#include "models/description.h"
#include "training/checkpoint.h"
#include "training/checkpoint_metadata.h"
#include "training/data/class_names.h"
#include "training/reading_checkpoint.h"
#include "training/trainer.h"

namespace limulus {
namespace {

using SortedJson = nlohmann::json;

// The layers whose weights the file does not have, if it is one of save_convolutions().
std::vector<std::string> read_left_out(const SafetensorsFile& file, Needs needs) {
  if (file.metadata().find("left_out") == file.metadata().end()) return {};
  auto layers = SortedJson::parse(metadata_of(file, "left_out")).get<std::vector<std::string>>();
  if (needs == Needs::all_layers && !layers.empty())
    throw FileError(fmt::format(
        "{}: it has the weights of the convolutions alone, and none of {}. `explain`, `look "
        "--png`, "
        "`figure 3` and `train --init` can use it; everything else needs a checkpoint of limulus "
        "train",
        file.path().string(), names_text(layers)));
  return layers;
}

}  // namespace

TrainConfig load_config(const std::filesystem::path& path) {
  return reading(path, [&] {
    const SafetensorsFile file(path);
    TrainConfig c = TrainConfig::from_json(metadata_of(file, "config"));
    // Written as true by versions that ignored --batch-norm for the other networks.
    c.batch_norm = c.batch_norm && c.model == "alexnet-keras";
    if (!c.network.empty()) {  // a network is made for it later: not a larger one than it holds
      std::int64_t numbers = 0;
      for (const SafetensorsEntry& e : file.entries()) numbers = size_sum(numbers, e.numel());
      if (file.metadata().contains("left_out")) numbers = size_sum(numbers, 1 << 28);
      const UnfilledParameters only_its_sizes;
      network_from(c.network, 0, device("reference"), DType::f32, numbers);
    }
    return c;
  });
}

TrainedModel load_trained(const std::filesystem::path& path, const std::string& device_name,
                          Needs needs) {
  Backend& backend = *devices(device_name).front();
  TrainedModel t;
  t.config = load_config(path);
  t.config.device = device_name;
  const SafetensorsFile file(path);
  reading(path, [&] {
    t.classes = read_classes(file);
    t.normalization = read_normalization(file);
    const Fingerprints prints = read_fingerprints(file);
    t.train_print = prints.train;
    t.test_print = prints.held_out;
    const auto classes = static_cast<std::int64_t>(t.classes.size());
    t.drawn = read_left_out(file, needs);
    if (t.drawn.empty()) {
      const UnfilledParameters about_to_be_loaded;
      t.model = build_model(t.config, classes, backend);
    } else {
      t.model = initial_model(t.config, classes, backend);
    }
    load_weights(file, *t.model, /*in_place=*/true, t.drawn);
    const Augment& input = t.config.augment;
    try {
      t.model->walk({1, input.channels, input.crop, input.crop});
    } catch (const ShapeError& e) {
      throw ValueError(fmt::format("its input of {} x {} x {} does not fit its network: {}",
                                   input.channels, input.crop, input.crop, e.what()));
    }
  });
  t.model->eval();
  return t;
}

}  // namespace limulus

#include "training/convolutions.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "backends/registry.h"
#include "core/dtype.h"
#include "core/error.h"
#include "formats/safetensors.h"
#include "layers/conv2d.h"
#include "training/checkpoint.h"
#include "training/slim.h"
#include "training/trained_model.h"

namespace limulus {
namespace {

void add_once(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

}  // namespace

SavedConvolutions save_convolutions(const std::filesystem::path& checkpoint,
                                    const std::filesystem::path& to) {
  const TrainedModel trained = load_trained(checkpoint, "reference");
  const SafetensorsFile file(checkpoint);
  SavedConvolutions saved;
  trained.model->visit([&](const std::string& name, Module& m) {
    if (dynamic_cast<const Conv2d*>(&m) != nullptr) saved.layers.push_back(name);
  });
  if (saved.layers.empty())
    throw ValueError(fmt::format("{}: {} has no convolution to keep", checkpoint.string(),
                                 trained.config.model));

  std::vector<std::vector<Bf16>> rounded;
  std::vector<SafetensorsItem> items;
  const auto is_convolution = [&](const std::string& name) {
    return std::find(saved.layers.begin(), saved.layers.end(), layer_of(name)) !=
           saved.layers.end();
  };
  for (const SafetensorsEntry& entry : file.entries()) {
    if (!belongs_to_model(entry.name)) continue;
    if (!is_convolution(entry.name)) {
      add_once(saved.left_out, layer_of(entry.name));
      continue;
    }
    rounded.push_back(rounded_to_bf16(file, entry));
    items.push_back({entry.name, DType::bf16, entry.shape, rounded.back().data()});
    saved.numbers += entry.numel();
  }
  std::sort(saved.left_out.begin(), saved.left_out.end());

  std::vector<float> mean_image;
  if (const SafetensorsEntry* mean = file.find("data/mean"); mean != nullptr) {
    mean_image = file.to_floats(*mean);
    items.push_back({mean->name, DType::f32, mean->shape, mean_image.data()});
  }
  std::map<std::string, std::string> metadata;
  for (const char* key : {"config", "classes", "normalization", "data", "limulus"})
    if (const auto found = file.metadata().find(key); found != file.metadata().end())
      metadata.insert(*found);
  if (!saved.left_out.empty()) metadata["left_out"] = nlohmann::json(saved.left_out).dump();
  write_safetensors(to, std::move(items), metadata);
  return saved;
}

}  // namespace limulus

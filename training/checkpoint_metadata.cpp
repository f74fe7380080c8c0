#include "training/checkpoint_metadata.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "backends/registry.h"
#include "core/error.h"
#include "training/checkpoint.h"
#include "training/reading_checkpoint.h"

namespace limulus {

using SortedJson = nlohmann::json;

void put_classes(const std::vector<std::string>& classes, Checkpoint* to) {
  to->metadata["classes"] = SortedJson(classes).dump();
}

void put_normalization(const Normalization& n, Checkpoint* to) {
  SortedJson axes = SortedJson::array();
  for (const auto& axis : n.colour_axes) axes.push_back(axis);
  to->metadata["normalization"] = SortedJson{
      {"mean", n.mean},
      {"scale", n.scale},
      {"side", n.mean_side},
      {"colour_axes", axes}}.dump();
  if (!n.mean_image.empty())
    to->extra.emplace_back("data/mean", Tensor::from(n.mean_image, {3, n.mean_side, n.mean_side},
                                                     device("reference")));
}

void put_fingerprints(const Fingerprints& prints, Checkpoint* to) {
  to->metadata["data"] = SortedJson{{"train", fmt::format("{:016x}", prints.train)},
                                    {"held_out", fmt::format("{:016x}", prints.held_out)}}
                             .dump();
}

std::vector<std::string> parse_classes(const std::string& json) {
  auto classes = SortedJson::parse(json).get<std::vector<std::string>>();
  if (classes.size() < 2)
    throw ValueError(fmt::format("it names {} classes, and a classifier needs 2", classes.size()));
  return classes;
}

std::vector<std::string> read_classes(const SafetensorsFile& file) {
  return parse_classes(metadata_of(file, "classes"));
}

namespace {

std::uint64_t read_print(const std::string& text) {  // 16 hexadecimal digits
  std::uint64_t print = 0;
  const char* end = text.data() + text.size();
  if (const auto read = std::from_chars(text.data(), end, print, 16);
      read.ec != std::errc() || read.ptr != end)
    throw ValueError(fmt::format("the fingerprint \"{}\" of its images is not a number", text));
  return print;
}

Normalization normalization_from(const SortedJson& j) {
  Normalization n;
  j.at("mean").get_to(n.mean);
  j.at("scale").get_to(n.scale);
  if (j.contains("colour_axes")) j["colour_axes"].get_to(n.colour_axes);
  for (const auto& colour : {n.mean, n.colour_axes[0], n.colour_axes[1], n.colour_axes[2]})
    for (const float value : colour)
      if (!(std::abs(value) < 1e9F))
        throw ValueError(fmt::format("a mean or a colour's axis has the value {}", value));
  for (const float scale : n.scale)
    if (!(scale > 0 && scale < 1e9F))
      throw ValueError(
          fmt::format("pixels are multiplied by {}, which is not between 0 and 1e9", scale));
  return n;
}

}  // namespace

Normalization parse_normalization(const std::string& json) {
  return normalization_from(SortedJson::parse(json));
}

Normalization read_normalization(const SafetensorsFile& file) {
  const SortedJson j = SortedJson::parse(metadata_of(file, "normalization"));
  j.at("colour_axes");  // a checkpoint has them
  Normalization n = normalization_from(j);
  const Tensor mean = load_tensor(file, "data/mean", device("reference"));
  if (mean.defined()) {
    if (mean.shape().rank() != 3 || mean.shape() != Shape{3, mean.size(-1), mean.size(-1)})
      throw ValueError(
          fmt::format("'data/mean' has the shape {}, not [3, side, side]", mean.shape().str()));
    n.mean_image = mean.to_vector<float>();
    n.mean_side = static_cast<int>(mean.size(-1));
  }
  return n;
}

Fingerprints read_fingerprints(const SafetensorsFile& file) {
  const auto data = file.metadata().find("data");
  if (data == file.metadata().end()) return {};
  const SortedJson prints = SortedJson::parse(data->second);
  return {read_print(prints.at("train").get<std::string>()),
          read_print(prints.at("held_out").get<std::string>())};
}

}  // namespace limulus

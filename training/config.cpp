#include "training/config.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "core/error.h"

namespace limulus {
namespace {

using Json = nlohmann::ordered_json;

// One list of fields serves reading, writing and comparing: f(key, value) for each.
template <class Config, class F>
void each_field(Config& c, F f) {
  f("model", c.model);
  f("recipe", c.recipe);
  f("data", c.data);
  f("device", c.device);
  f("epochs", c.epochs);
  f("batch", c.batch);
  f("seed", c.seed);
  f("lr", c.sgd.lr);
  f("momentum", c.sgd.momentum);
  f("weight_decay", c.sgd.weight_decay);
  f("divide_by", c.schedule.divide_by);
  f("milestones", c.schedule.milestones);
  f("patience", c.schedule.patience);
  f("warmup", c.schedule.warmup);
  f("short_side", c.prepare.short_side);
  f("square", c.prepare.square);
  f("pad", c.prepare.pad);
  f("crop", c.augment.crop);
  f("channels", c.augment.channels);
  f("random_crop", c.augment.random);
  f("mirror", c.augment.mirror);
  f("vertical_flip", c.augment.vertical_flip);
  f("zoom_min", c.augment.zoom_min);
  f("zoom_max", c.augment.zoom_max);
  f("colour_sigma", c.augment.colour_sigma);
  f("subtract_mean_image", c.subtract_mean_image);
  f("pixel_scale", c.pixel_scale);
  f("dropout", c.dropout);
  f("batch_norm", c.batch_norm);
  f("strict", c.strict);
}

Json to_object(const TrainConfig& c) {
  Json j;
  each_field(c, [&](const char* key, const auto& value) { j[key] = value; });
  j["rule"] = c.sgd.rule == SgdRule::paper ? "paper" : "pytorch";
  j["schedule"] = name_of(c.schedule.kind);
  return j;
}

}  // namespace

std::string TrainConfig::to_json() const { return to_object(*this).dump(); }

TrainConfig TrainConfig::from_json(const std::string& text) {
  TrainConfig c;
  try {
    const Json j = Json::parse(text);
    each_field(c, [&](const char* key, auto& value) { j.at(key).get_to(value); });
    const std::string rule = j.at("rule").get<std::string>();
    if (rule != "paper" && rule != "pytorch")
      throw ValueError(fmt::format("the update rule '{}' is neither 'paper' nor 'pytorch'", rule));
    c.sgd.rule = rule == "paper" ? SgdRule::paper : SgdRule::pytorch;
    c.schedule.kind = parse_schedule(j.at("schedule").get<std::string>());
  } catch (const Json::exception& e) {
    throw ValueError(fmt::format("configuration: {}", e.what()));
  }
  return c;
}

std::string differences(const TrainConfig& a, const TrainConfig& b) {
  const Json x = to_object(a), y = to_object(b);
  std::string text;
  for (const auto& [key, value] : x.items())
    if (value != y[key])
      text += fmt::format("  {}: {} in the checkpoint, {} now\n", key, value.dump(), y[key].dump());
  return text;
}

}  // namespace limulus

#include "training/config.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "training/data/dataset.h"
#include "training/json_value.h"

namespace limulus {
namespace {

using OrderedJson = nlohmann::ordered_json;

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

// Settings that checkpoints of an early version lack: these get their default.
template <class Config, class F>
void each_later_field(Config& c, F f) {
  f("layout", c.layout);
  f("test_folder", c.test_folder);
  f("freeze", c.freeze);
  f("init", c.init);
  f("micro_batches", c.micro_batches);
  f("shuffle_buffer", c.shuffle_buffer);
}

OrderedJson to_object(const TrainConfig& c) {
  OrderedJson j;
  const auto put = [&](const char* key, const auto& value) { j[key] = value; };
  each_field(c, put);
  each_later_field(c, put);
  j["rule"] = c.sgd.rule == SgdRule::paper ? "paper" : "pytorch";
  j["schedule"] = name_of(c.schedule.kind);
  j["exchange"] = name_of(c.exchange);
  if (!c.network.empty()) j["network"] = c.network;
  return j;
}

template <class T>
void read_field(const OrderedJson& j, const char* key, T& value) {
  const auto found = j.find(key);
  if (found == j.end()) throw ValueError(fmt::format("the setting \"{}\" is missing", key));
  read_value(*found, fmt::format("the setting \"{}\"", key), value);
}

}  // namespace

const char* name_of(Exchange exchange) {
  return exchange == Exchange::factors ? "factors" : "gradients";
}

Exchange parse_exchange(const std::string& name) {
  if (name != "gradients" && name != "factors")
    throw ValueError(fmt::format("the exchange '{}' is neither 'gradients' nor 'factors'", name));
  return name == "factors" ? Exchange::factors : Exchange::gradients;
}

void check(const TrainConfig& c) {
  const auto in = [](const char* what, double value, double least, double most) {
    if (!(value >= least && value <= most))
      throw ValueError(fmt::format("train: {} is {:.15g}, but must be from {:.15g} to {:.15g}",
                                   what, value, least, most));
  };
  // Far beyond what anybody trains with or waits for, and products of them stay in 64 bits.
  constexpr double kSide = 4096, kMany = 1e9, kLarge = 1e30;
  in("epochs", static_cast<double>(c.epochs), 1, kMany);
  in("batch", static_cast<double>(c.batch), 1, kMany);
  in("micro_batches", static_cast<double>(c.micro_batches), 1, static_cast<double>(c.batch));
  in("shuffle_buffer", static_cast<double>(c.shuffle_buffer), 1, kMany);
  in("lr (the learning rate)", c.sgd.lr, 0, kLarge);
  in("momentum", c.sgd.momentum, 0, 1);
  in("weight_decay", c.sgd.weight_decay, 0, kLarge);
  in("dropout", c.dropout, 0, 1);
  in("short_side", c.prepare.short_side, 0, kSide);
  in("pad", c.prepare.pad, 0, kSide);
  in("crop", c.augment.crop, 1, kSide);
  in("channels", c.augment.channels, 1, 3);
  in("zoom_min", c.augment.zoom_min, 1e-3, 1e3);
  in("zoom_max", c.augment.zoom_max, c.augment.zoom_min, 1e3);
  in("colour_sigma", c.augment.colour_sigma, 0, 1e3);
  in("pixel_scale", c.pixel_scale, 1e-9, 1e9);
  parse_layout(c.layout);
}

std::string TrainConfig::to_json() const { return to_object(*this).dump(); }

TrainConfig TrainConfig::from_json(const std::string& text) {
  TrainConfig c;
  try {
    const OrderedJson j = OrderedJson::parse(text);
    if (!j.is_object()) throw ValueError("the settings are not a JSON object");
    each_field(c, [&](const char* key, auto& value) { read_field(j, key, value); });
    each_later_field(c, [&](const char* key, auto& value) {
      if (j.contains(key)) read_field(j, key, value);
    });
    std::string rule, schedule;
    read_field(j, "rule", rule);
    read_field(j, "schedule", schedule);
    if (rule != "paper" && rule != "pytorch")
      throw ValueError(fmt::format("the update rule '{}' is neither 'paper' nor 'pytorch'", rule));
    c.sgd.rule = rule == "paper" ? SgdRule::paper : SgdRule::pytorch;
    c.schedule.kind = parse_schedule(schedule);
    if (j.contains("exchange")) {  // checkpoints of an early version lack it
      std::string exchange;
      read_field(j, "exchange", exchange);
      c.exchange = parse_exchange(exchange);
    }
    if (j.contains("network")) read_field(j, "network", c.network);
  } catch (const OrderedJson::exception&) {
    throw ValueError("the settings are not valid JSON");
  }
  check(c);
  return c;
}

std::string differences(const TrainConfig& a, const TrainConfig& b) {
  OrderedJson x = to_object(a), y = to_object(b);
  std::string text;
  x.erase("network"), y.erase("network");
  if (a.network != b.network) text += "  network: the checkpoint has other layers\n";
  for (const auto& [key, value] : x.items())
    if (value != y[key])
      text += fmt::format("  {}: {} in the checkpoint, {} now\n", key, value.dump(), y[key].dump());
  return text;
}

}  // namespace limulus

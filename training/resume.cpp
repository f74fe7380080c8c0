// The trainer's state in a checkpoint, and back: with the tensors of training/checkpoint.h,
// everything that the next step depends on.
#include "training/resume.h"

#include <fmt/core.h>

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "backends/registry.h"
#include "core/checked.h"
#include "core/error.h"
#include "models/description.h"
#include "training/checkpoint.h"
#include "training/data/class_names.h"
#include "training/json_value.h"
#include "training/reading_checkpoint.h"
#include "training/run_progress.h"
#include "training/trainer.h"

namespace limulus {

using SortedJson = nlohmann::json;

void Trainer::load_progress(const SafetensorsFile& file, const std::string& text) {
  const SortedJson j = SortedJson::parse(text);
  RunProgress p = read_progress(file, text);
  if (p.step < 0 || p.epoch < 0 || p.epoch > config_.epochs || p.batch < 0 || p.batch > batches_ ||
      p.step > p.epoch * batches_ + p.batch)
    throw ValueError(fmt::format("step {}, epoch {} of {}, batch {} of {}", p.step, p.epoch,
                                 config_.epochs, p.batch, batches_));
  const SortedJson& schedule = j.at("schedule");
  Schedule::State state;
  read_value(schedule.at(0), "the schedule's best error", state.best_error);
  read_value(schedule.at(1), "the schedule's waiting", state.epochs_without_better);
  read_value(schedule.at(2), "the schedule's divisions", state.divisions);
  for (const std::int64_t i : p.skipped) {
    if (i < 0 || i >= data_.train.size())
      throw ValueError(fmt::format("image {} of {} was skipped", i, data_.train.size()));
    try {
      train_images_->get(i);
    } catch (const FileError&) {  // get() has noted it again
    }
  }
  train_skipped_ = train_images_->skipped();
  schedule_->state = state;
  progress_ = std::move(p);
}

void Trainer::save() const {
  Checkpoint rest;
  rest.metadata["config"] = config_.to_json();
  rest.metadata["classes"] = SortedJson(data_.classes).dump();
  std::vector<std::int64_t> skipped_images;
  for (const auto& [index, skip] : train_skipped_) skipped_images.push_back(index);
  rest.metadata["state"] =
      state_json(progress_, skipped_images, data_.train.size(), schedule_->state);
  rest.metadata["data"] = SortedJson{{"train", fmt::format("{:016x}", train_print_)},
                                     {"held_out", fmt::format("{:016x}", test_print_)}}
                              .dump();
  const Normalization& n = normalization_;
  SortedJson axes = SortedJson::array();
  for (const auto& axis : n.colour_axes) axes.push_back(axis);
  rest.metadata["normalization"] = SortedJson{
      {"mean", n.mean},
      {"scale", n.scale},
      {"side", n.mean_side},
      {"colour_axes", axes}}.dump();
  Backend& host = device("reference");
  if (!n.mean_image.empty())
    rest.extra.emplace_back("data/mean",
                            Tensor::from(n.mean_image, {3, n.mean_side, n.mean_side}, host));
  save_history(progress_, &rest);
  save_checkpoint(checkpoint_path(), *model_, *optimizer_, rest);
  if (options_.on_message)
    options_.on_message(fmt::format("checkpoint: {}", checkpoint_path().string()));
}

namespace {

Normalization read_normalization(const SafetensorsFile& file) {
  Normalization n;
  const SortedJson j = SortedJson::parse(metadata_of(file, "normalization"));
  j.at("mean").get_to(n.mean);
  j.at("scale").get_to(n.scale);
  j.at("colour_axes").get_to(n.colour_axes);
  for (const auto& colour : {n.mean, n.colour_axes[0], n.colour_axes[1], n.colour_axes[2]})
    for (const float value : colour)
      if (!(std::abs(value) < 1e9F))
        throw ValueError(fmt::format("a mean or a colour's axis has the value {}", value));
  for (const float scale : n.scale)
    if (!(scale > 0 && scale < 1e9F))
      throw ValueError(
          fmt::format("pixels are multiplied by {}, which is not between 0 and 1e9", scale));
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

std::uint64_t read_print(const std::string& text) {  // 16 hexadecimal digits
  std::uint64_t print = 0;
  const char* end = text.data() + text.size();
  if (const auto read = std::from_chars(text.data(), end, print, 16);
      read.ec != std::errc() || read.ptr != end)
    throw ValueError(fmt::format("the fingerprint \"{}\" of its images is not a number", text));
  return print;
}

std::vector<std::string> read_classes(const SafetensorsFile& file) {
  auto classes = SortedJson::parse(metadata_of(file, "classes")).get<std::vector<std::string>>();
  if (classes.size() < 2)
    throw ValueError(fmt::format("it names {} classes, and a classifier needs 2", classes.size()));
  return classes;
}

// The layers whose weights the file does not have, if it is one of save_convolutions().
std::vector<std::string> read_left_out(const SafetensorsFile& file, Needs needs) {
  if (file.metadata().find("left_out") == file.metadata().end()) return {};
  auto layers = SortedJson::parse(metadata_of(file, "left_out")).get<std::vector<std::string>>();
  if (needs == Needs::all_layers && !layers.empty())
    throw FileError(fmt::format(
        "{}: it has the weights of the convolutions alone, and none of {}. `explain`, `look --png` "
        "and `figure 3` can use it; everything else needs a checkpoint of limulus train",
        file.path().string(), names_text(layers)));
  return layers;
}

}  // namespace

void check_same_run(const std::filesystem::path& checkpoint, const TrainConfig& config) {
  TrainConfig saved = load_config(checkpoint);
  saved.data = config.data;
  saved.device = config.device;
  const std::string changed = differences(saved, config);
  if (!changed.empty())
    throw FileError(fmt::format(
        "{}: this checkpoint belongs to a run with other settings:\n{}Resume with the same "
        "settings, or start a new run in another --out folder",
        checkpoint.string(), changed));
}

void Trainer::resume(const std::filesystem::path& path) {
  check_same_run(path, config_);
  const SafetensorsFile file(path);
  const auto classes = reading(path, [&] { return read_classes(file); });
  if (!same_names(classes, data_.classes))
    throw FileError(
        fmt::format("{}: this checkpoint was trained on other classes ({}) than those in {} ({})",
                    path.string(), names_text(classes), config_.data, names_text(data_.classes)));
  const auto images = reading(path, [&] {  // absent in a checkpoint of an early version
    std::int64_t began_with = data_.train.size();
    const SortedJson state = SortedJson::parse(metadata_of(file, "state"));
    if (state.contains("images")) read_value(state.at("images"), "images", began_with);
    return began_with;
  });
  // With other images, order, mean and weights would not be those of one long run.
  if (images != data_.train.size())
    throw FileError(fmt::format(
        "{}: this run began with {} training images, and {} now has {}: give it the same images, "
        "or start a new run in another --out folder",
        path.string(), images, config_.data, data_.train.size()));
  reading(path, [&] {
    Normalization began_with = read_normalization(file);
    load_progress(file, metadata_of(file, "state"));
    load_weights(file, *model_);
    load_velocities(file, *optimizer_);
    // The run's own, not measured anew: with another decoder the mean may differ by a rounding.
    normalization_ = std::move(began_with);
  });
  make_loader();
}

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
    if (const auto data = file.metadata().find("data"); data != file.metadata().end()) {
      const SortedJson prints = SortedJson::parse(data->second);
      t.train_print = read_print(prints.at("train").get<std::string>());
      t.test_print = read_print(prints.at("held_out").get<std::string>());
    }
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

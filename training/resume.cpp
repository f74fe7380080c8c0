// The trainer's state in a checkpoint, and back: with the tensors of training/checkpoint.h,
// everything that the next step depends on.
#include "training/resume.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "backends/registry.h"
#include "core/error.h"
#include "training/checkpoint.h"
#include "training/data/class_names.h"
#include "training/json_value.h"
#include "training/trainer.h"

namespace limulus {

using SortedJson = nlohmann::json;

std::string Trainer::progress_json() const {
  const Progress& p = progress_;
  SortedJson skipped_images =
      SortedJson::array();  // so that the next sitting knows them from the start
  for (const auto& [index, skip] : train_skipped_) skipped_images.push_back(index);
  SortedJson j = {{"step", p.step},
                  {"epoch", p.epoch},
                  {"batch", p.batch},
                  {"epoch_loss", p.epoch_loss},
                  {"epoch_right", p.epoch_right},
                  {"epoch_images", p.epoch_images},
                  {"epoch_seconds", p.epoch_seconds},
                  {"epoch_waiting", p.epoch_waiting},
                  {"images", data_.train.size()},
                  {"skipped", skipped_images},
                  {"schedule",
                   {schedule_->state.best_error, schedule_->state.epochs_without_better,
                    schedule_->state.divisions}}};
  return j.dump();
}

namespace {

// An epoch's numbers, as a row of "history/epochs".
constexpr std::int64_t epoch_columns = 10;
using EpochRow = std::array<double, epoch_columns>;

EpochRow row_of(const EpochRecord& e) {
  return {static_cast<double>(e.epoch),
          e.train_loss,
          e.train_top1,
          e.test_loss,
          e.test_top1,
          e.test_top5,
          e.lr,
          e.seconds,
          e.images_per_second,
          e.waiting};
}

EpochRecord record_of(const EpochRow& r) {
  return {static_cast<std::int64_t>(r[0]), r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9]};
}

// A tensor of the history, element by element; empty where the file has none.
template <class T>
std::vector<T> history_of(const SafetensorsFile& file, const std::string& name, DType dtype) {
  const SafetensorsEntry* entry = file.find(name);
  if (entry == nullptr) return {};
  if (file.dtype(*entry) != dtype)
    throw ValueError(fmt::format("'{}' is {}, not {}", name, entry->dtype, name_of(dtype)));
  std::vector<T> values(entry->bytes.size() / sizeof(T));
  // Empty in a run that was stopped in its first epoch, and memcpy takes no null pointer.
  if (!values.empty()) std::memcpy(values.data(), entry->bytes.data(), values.size() * sizeof(T));
  return values;
}

}  // namespace

// Losses are not required to be finite: they are shown, and nothing is computed from them.
void Trainer::save_history(Checkpoint* to) const {
  Backend& host = device("reference");
  const auto steps = static_cast<std::int64_t>(progress_.step_losses.size());
  const auto epochs = static_cast<std::int64_t>(progress_.epochs.size());
  std::vector<double> rows;
  for (const EpochRecord& e : progress_.epochs)
    for (const double value : row_of(e)) rows.push_back(value);
  to->extra.emplace_back("history/step_losses", Tensor::from(progress_.step_losses, {steps}, host));
  to->extra.emplace_back("history/epochs", Tensor::from(rows, {epochs, epoch_columns}, host));
}

void Trainer::load_progress(const SafetensorsFile& file, const std::string& text) {
  const SortedJson j = SortedJson::parse(text);
  const auto read = [&](const char* key, auto& value) { read_value(j.at(key), key, value); };
  Progress p;
  read("step", p.step);
  read("epoch", p.epoch);
  read("batch", p.batch);
  read("epoch_loss", p.epoch_loss);
  read("epoch_right", p.epoch_right);
  read("epoch_images", p.epoch_images);
  read("epoch_seconds", p.epoch_seconds);
  read("epoch_waiting", p.epoch_waiting);
  if (j.contains("step_losses"))  // of an early version, and its epochs below
    read("step_losses", p.step_losses);
  else
    p.step_losses = history_of<float>(file, "history/step_losses", DType::f32);
  const auto numbers = history_of<double>(file, "history/epochs", DType::f64);
  for (std::size_t at = 0; at + epoch_columns <= numbers.size(); at += epoch_columns) {
    EpochRow row;
    std::copy_n(numbers.begin() + static_cast<std::ptrdiff_t>(at), epoch_columns, row.begin());
    if (!(row[0] >= 0 && row[0] <= 1e9))
      throw ValueError(fmt::format("the number of an epoch is {}", row[0]));
    p.epochs.push_back(record_of(row));
  }
  if (p.step < 0 || p.epoch < 0 || p.epoch > config_.epochs || p.batch < 0 || p.batch > batches_ ||
      p.step > p.epoch * batches_ + p.batch)
    throw ValueError(fmt::format("step {}, epoch {} of {}, batch {} of {}", p.step, p.epoch,
                                 config_.epochs, p.batch, batches_));
  const SortedJson& schedule = j.at("schedule");
  Schedule::State state;
  read_value(schedule.at(0), "the schedule's best error", state.best_error);
  read_value(schedule.at(1), "the schedule's waiting", state.epochs_without_better);
  read_value(schedule.at(2), "the schedule's divisions", state.divisions);
  const auto number =
      [](const SortedJson& value) {  // JSON has no NaN: the accuracy of nothing is null
        return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
      };
  if (j.contains("epochs"))
    for (const SortedJson& e : j.at("epochs")) {
      std::int64_t epoch = 0;
      read_value(e.at(0), "the number of an epoch", epoch);
      p.epochs.push_back({epoch, number(e.at(1)), number(e.at(2)), number(e.at(3)), number(e.at(4)),
                          number(e.at(5)), number(e.at(6)), number(e.at(7)), number(e.at(8)),
                          number(e.at(9))});
    }
  if (j.contains("skipped"))
    for (const SortedJson& index : j.at("skipped")) {
      std::int64_t i = 0;
      read_value(index, "the number of a skipped image", i);
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
  rest.metadata["state"] = progress_json();
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
  save_history(&rest);
  save_checkpoint(checkpoint_path(), *model_, *optimizer_, rest);
  if (options_.on_message)
    options_.on_message(fmt::format("checkpoint: {}", checkpoint_path().string()));
}

namespace {

const std::string& metadata_of(const SafetensorsFile& file, const std::string& key) {
  const auto found = file.metadata().find(key);
  if (found == file.metadata().end())
    throw FileError(
        fmt::format("{}: this is no checkpoint of a training: it has no \"{}\" in its metadata",
                    file.path().string(), key));
  return found->second;
}

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
    throw ValueError(fmt::format("the fingerprint \"{}\" of its images is no number", text));
  return print;
}

std::vector<std::string> read_classes(const SafetensorsFile& file) {
  auto classes = SortedJson::parse(metadata_of(file, "classes")).get<std::vector<std::string>>();
  if (classes.size() < 2)
    throw ValueError(fmt::format("it names {} classes, and a classifier needs 2", classes.size()));
  return classes;
}

// The sentence that leads out of a damaged checkpoint, where there is one before it.
std::string way_back(const std::filesystem::path& file) {
  const std::string previous = file.string() + ".previous";
  std::error_code unknown;
  if (!std::filesystem::is_regular_file(previous, unknown)) return "";
  return fmt::format(". The checkpoint before it is still there; to go on with that: mv '{}' '{}'",
                     previous, file.string());
}

// Runs f, which reads a checkpoint; what is wrong with it becomes an error that names the file and
// the way back.
template <class F>
auto reading(const std::filesystem::path& file, F f) {
  const auto damaged = [&](const char* what) {
    return FileError(
        fmt::format("{}: its metadata is damaged: {}{}", file.string(), what, way_back(file)));
  };
  try {
    return f();
  } catch (const SortedJson::parse_error&) {
    throw damaged("it is not valid JSON");
  } catch (const SortedJson::exception& e) {
    const char* reason = std::strchr(e.what(), ']');  // after the library's own name and number
    throw damaged(reason != nullptr ? reason + 2 : e.what());
  } catch (const ValueError& e) {
    throw damaged(e.what());
  } catch (const FileError& e) {
    throw FileError(e.what() + way_back(file));
  }
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
  // Other images are another order, another mean, and other weights than those of one long run.
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
    // That of the run, not measured anew: another decoder may find another mean by a rounding.
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
    return c;
  });
}

TrainedModel load_trained(const std::filesystem::path& path, const std::string& device_name) {
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
    const UnfilledParameters about_to_be_loaded;
    t.model = build_model(t.config, classes, backend);
    load_weights(file, *t.model, /*in_place=*/true);
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

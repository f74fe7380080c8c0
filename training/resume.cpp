// The trainer's state in a checkpoint, and back: with the tensors of training/checkpoint.h,
// everything that the next step depends on.
#include "training/resume.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/note.h"
#include "models/description.h"
#include "training/checkpoint.h"
#include "training/checkpoint_metadata.h"
#include "training/data/class_names.h"
#include "training/json_value.h"
#include "training/reading_checkpoint.h"
#include "training/run_progress.h"
#include "training/trained_model.h"
#include "training/trainer.h"

namespace limulus {

using SortedJson = nlohmann::json;

void Trainer::load_progress(const SafetensorsFile& file, const std::string& text,
                            std::int64_t epochs) {
  const SortedJson j = SortedJson::parse(text);
  RunProgress p = read_progress(file, text);
  if (p.step < 0 || p.epoch < 0 || p.epoch > epochs || p.batch < 0 || p.batch > batches_ ||
      p.step > p.epoch * batches_ + p.batch)
    throw ValueError(fmt::format("step {}, epoch {} of {}, batch {} of {}", p.step, p.epoch, epochs,
                                 p.batch, batches_));
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
  if (!leads()) return;
  Checkpoint rest;
  rest.metadata["config"] = config_.to_json();
  std::vector<std::int64_t> skipped_images;
  for (const auto& [index, skip] : train_skipped_) skipped_images.push_back(index);
  rest.metadata["state"] =
      state_json(progress_, skipped_images, data_.train.size(), schedule_->state);
  put_fingerprints({train_print_, test_print_}, &rest);
  put_classes(data_.classes, &rest);
  put_normalization(normalization_, &rest);
  save_history(progress_, &rest);
  save_checkpoint(checkpoint_path(), *model_, *optimizer_, rest);
  if (options_.on_message)
    options_.on_message(fmt::format("checkpoint: {}", checkpoint_path().string()));
}

namespace {

// What `convert --slim` and `import` write has a network, but no run that could go on.
void check_resumable(const SafetensorsFile& file) {
  const auto refuse = [&](const char* lack) {
    throw FileError(fmt::format(
        "{0}: it has {1}, so no run can go on from here as if it had never stopped (a file of "
        "`limulus import` or `convert --slim`?). `limulus train --init {0}` begins a new run with "
        "its weights",
        file.path().string(), lack));
  };
  if (!file.metadata().contains("state")) refuse("no state of a run");
  for (const SafetensorsEntry& entry : file.entries())
    if (is_velocity(entry.name)) return;
  refuse("no velocities");
}

// A run that was made longer, in words, if a schedule that counts in fractions of the run would
// have given other rates to the steps that were made; else "". Both have the present state.
std::string longer_text(const Schedule& was, const Schedule& is, const TrainConfig& config,
                        std::int64_t epochs_before, std::int64_t steps) {
  constexpr std::int64_t kCompared = 100'000;  // evenly spaced: a file may claim any number
  const std::int64_t compared = std::min(steps, kCompared);
  bool same = true;
  for (std::int64_t i = 0; i < compared && same; ++i) {
    const std::int64_t step = evenly_spaced(i, compared, steps);
    same = was.rate(step) == is.rate(step);
  }
  if (same) return "";
  return fmt::format(
      "the run had {} epochs and now has {}: from step {} on, the rate is that of the schedule "
      "'{}' "
      "over {} epochs, {:.3g} at first (over {} epochs it was {:.3g} in the last step). The steps "
      "so far were made at the rates of the shorter run, so the result is not that of a run of {} "
      "epochs from the start",
      epochs_before, config.epochs, steps + 1, name_of(config.schedule.kind), config.epochs,
      is.rate(steps), epochs_before, was.rate(std::max<std::int64_t>(0, steps - 1)), config.epochs);
}

}  // namespace

void check_same_run(const std::filesystem::path& checkpoint, const TrainConfig& config) {
  TrainConfig saved = load_config(checkpoint);
  saved.data = config.data;
  saved.device = config.device;
  saved.init = config.init;  // where its first weights came from changes nothing any more
  const std::int64_t epochs = saved.epochs;
  if (config.epochs > epochs) saved.epochs = config.epochs;
  const std::string changed = differences(saved, config);
  if (!changed.empty())
    throw FileError(fmt::format(
        "{}: this checkpoint belongs to a run with other settings:\n{}{}Resume with the same "
        "settings, or start a new run in another --out folder",
        checkpoint.string(), changed,
        config.epochs < epochs
            ? fmt::format("A run can be made longer than its {} epochs, but not shorter. ", epochs)
            : ""));
}

void Trainer::resume(const std::filesystem::path& path) {
  if (leads()) load_run(path);
  if (options_.ranks) share_place();
  make_loader();
}

void Trainer::load_run(const std::filesystem::path& path) {
  check_same_run(path, config_);
  const std::int64_t epochs = load_config(path).epochs;  // perhaps fewer than there are now
  const SafetensorsFile file(path);
  check_resumable(file);
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
  // As many, but others: a note alone, since a set that was packed meanwhile has other names.
  const std::uint64_t began_on = reading(path, [&] { return read_fingerprints(file); }).train;
  if (train_print_ != 0 && began_on != 0 && began_on != train_print_)
    note(
        fmt::format("{}: the training images in {} are not those that this run began with: a "
                    "name, a size or a class is another. It will not end as a run without a break",
                    path.string(), config_.data));
  reading(path, [&] {
    Normalization began_with = read_normalization(file);
    load_progress(file, metadata_of(file, "state"), epochs);
    load_weights(file, *model_);
    load_velocities(file, *optimizer_);
    // The run's own, not measured anew: with another decoder the mean may differ by a rounding.
    normalization_ = std::move(began_with);
  });
  if (epochs < config_.epochs) {
    Schedule was(config_.sgd.lr, config_.schedule, epochs * batches_);
    was.state = schedule_->state;
    longer_ = longer_text(was, *schedule_, config_, epochs, progress_.step);
  }
}

}  // namespace limulus

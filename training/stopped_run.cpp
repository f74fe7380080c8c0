#include "training/stopped_run.h"

#include <fmt/format.h>

#include <algorithm>

#include "backends/registry.h"
#include "core/error.h"
#include "formats/safetensors.h"
#include "training/data/image_cache.h"
#include "training/evaluate.h"
#include "training/reading_checkpoint.h"
#include "training/run_progress.h"
#include "training/trained_model.h"
#include "training/trainer.h"

namespace limulus {
namespace {

RunProgress progress_of(const std::filesystem::path& checkpoint) {
  return reading(checkpoint, [&] {
    const SafetensorsFile file(checkpoint);
    if (!file.metadata().contains("state"))
      throw FileError(fmt::format(
          "{}: it has a network, but no run that could be reported (a file of `limulus import`, or "
          "an older one of `convert`?)",
          checkpoint.string()));
    return read_progress(file, metadata_of(file, "state"));
  });
}

// The training images that the run could not use, tried once more: a checkpoint has their indices,
// and the reason is in the file.
std::vector<Skipped> unusable(const std::vector<std::int64_t>& indices, const TrainedModel& trained,
                              const ImageSet& images) {
  ImageCache cache(images, trained.config.prepare, 0, trained.config.augment.crop);
  for (const std::int64_t i : indices) {
    if (i < 0 || i >= images.size()) continue;
    try {
      cache.get(i);
    } catch (const FileError&) {  // get() has noted it
    }
  }
  std::vector<Skipped> skipped;
  for (const auto& [index, skip] : cache.skipped()) skipped.push_back(skip);
  return skipped;
}

}  // namespace

RunReport report_from(const std::filesystem::path& checkpoint, const TrainedModel& trained) {
  const RunProgress p = progress_of(checkpoint);
  RunReport r =
      report_of(load_config(checkpoint), trained.classes, *trained.model, p, trained.config.device);
  const auto known = static_cast<std::int64_t>(r.epochs.size());
  if (known < p.epoch)
    r.missing.push_back(fmt::format(
        "The checkpoint keeps {} of the {} epochs that the run made: its history is not whole.",
        known, p.epoch));
  if (static_cast<std::int64_t>(r.step_losses.size()) < p.step)
    r.missing.push_back(fmt::format("The checkpoint keeps the loss of {} of the {} steps.",
                                    r.step_losses.size(), p.step));
  if (p.batch > 0)
    r.missing.push_back(fmt::format(
        "The run was stopped within epoch {}, after {} of its batches: the weights are "
        "those of that moment, and of an epoch that is not finished there is no accuracy.",
        p.epoch + 1, p.batch));
  r.missing.emplace_back(
      "The time of each layer, the machine and the program that trained are not in a checkpoint; "
      "the last section tells what made this page.");
  return r;
}

void add_evaluation(RunReport& r, const std::filesystem::path& checkpoint,
                    const TrainedModel& trained, const Dataset& data, int workers) {
  r.layout = data.how_read();
  r.train_images = data.train.size();
  r.held_out = data.test.size();
  r.skipped = data.skipped;
  const std::uint64_t train = fingerprint(data.train, data.classes),
                      test = fingerprint(data.test, data.classes);
  const bool known = trained.train_print != 0 && train != 0;
  const bool same = trained.train_print == train && trained.test_print == test;
  if (known && !same)
    r.missing.emplace_back(
        "The pictures are not those that the run began with: some that are evaluated here may have "
        "been trained on.");
  if (same)
    for (Skipped& s : unusable(progress_of(checkpoint).skipped, trained, data.train)) {
      s.part = "training";
      r.skipped.push_back(std::move(s));
    }
  if (data.test.size() == 0) return;
  const auto classes = static_cast<std::int64_t>(trained.classes.size());
  const auto images = std::make_shared<ImageCache>(
      data.test, trained.config.prepare, std::size_t{1} << 30, trained.config.augment.crop);
  Backend& backend = *devices(trained.config.device).front();
  const auto run = [&](bool ten) {
    return evaluate_set(*trained.model, backend, trained.config, trained.normalization, images,
                        classes, ten, ten ? 0 : 24, workers);
  };
  r.single = run(false);
  if (r.single.metrics.count() > 0 &&
      trained.config.augment.crop < trained.config.prepare.short_side)
    r.ten = run(true);
  for (const auto& [index, skip] : images->skipped()) {
    r.skipped.push_back(skip);
    r.skipped.back().part = "held out";
  }
}

}  // namespace limulus

#pragma once
// How far a run has come, and the numbers of each step and epoch behind it: what a checkpoint
// remembers besides weights and velocities.
#include <cstdint>
#include <string>
#include <vector>

#include "training/records.h"
#include "training/schedule.h"

namespace limulus {

struct Checkpoint;
class SafetensorsFile;

struct RunProgress {
  std::int64_t step = 0;
  std::int64_t epoch = 0, batch = 0;       // the next batch: epoch from 0, batch from 0
  double epoch_loss = 0, epoch_right = 0;  // sums over the epoch in work
  std::int64_t epoch_images = 0;
  double epoch_seconds = 0, epoch_waiting = 0;
  std::vector<EpochRecord> epochs;
  std::vector<float> step_losses;
  std::vector<std::int64_t> skipped;  // training images that could not be used, by index
};

// The rest of it as a checkpoint's "state" (JSON). `skipped`: training images that could not be
// used; `images`: how many the training part has.
std::string state_json(const RunProgress& progress, const std::vector<std::int64_t>& skipped,
                       std::int64_t images, const Schedule::State& schedule);

// Adds the tensors "history/step_losses" and "history/epochs".
void save_history(const RunProgress& progress, Checkpoint* to);

// From a checkpoint's "state" (JSON) and its history. ValueError or a JSON exception if something
// is not a number; the caller checks whether the numbers fit together.
RunProgress read_progress(const SafetensorsFile& file, const std::string& state);

}  // namespace limulus

#pragma once
// Whether a run may go on from a checkpoint; how it does is Trainer::resume (trainer.h).
#include <filesystem>

#include "training/config.h"

namespace limulus {

// FileError, with each difference, unless these are the settings of the checkpoint's run. The place
// of the data and the device may differ, and the run may become longer: more epochs than it had.
void check_same_run(const std::filesystem::path& checkpoint, const TrainConfig& config);

}  // namespace limulus

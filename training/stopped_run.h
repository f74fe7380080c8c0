#pragma once
// The report of a run that did not come to its end, from the checkpoint that it left.
#include <filesystem>

#include "training/data/dataset.h"
#include "training/records.h"
#include "training/trained_model.h"

namespace limulus {

// What the checkpoint alone knows: curves, kernels, the network's sizes, settings. `missing` says
// what it does not know. FileError if it is not a checkpoint, or is damaged.
RunReport report_from(const std::filesystem::path& checkpoint, const TrainedModel& trained);

// Adds what needs the pictures: how the folder was read, which training images the run could not
// use, and the accuracy on the held-out ones, by one crop and, if the network's crop is smaller
// than the picture, by ten. If the folder is not that of the run, `missing` says so.
void add_evaluation(RunReport& report, const std::filesystem::path& checkpoint,
                    const TrainedModel& trained, const Dataset& data, int workers);

}  // namespace limulus

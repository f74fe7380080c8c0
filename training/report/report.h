#pragma once
// The one page that shows a run.
#include <filesystem>

#include "training/records.h"

namespace limulus {

// One self-contained page: curves, filters, confusion matrix, worst mistakes, time per layer,
// provenance. Written atomically.
void write_report(const std::filesystem::path& path, const RunReport& run);

}  // namespace limulus

#pragma once
// The one page that shows a run.
#include <filesystem>

#include "training/records.h"

namespace limulus {

// One self-contained page: curves, filters, confusion matrix, worst mistakes, time per layer,
// provenance. Written atomically; with `keep_previous`, a page that was there stays as
// `path.previous`.
void write_report(const std::filesystem::path& path, const RunReport& run,
                  bool keep_previous = false);

}  // namespace limulus

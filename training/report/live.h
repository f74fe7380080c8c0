#pragma once
// `limulus train --live`: the page of a run that goes on. It is a file, and loads itself again in
// the browser until the run has ended: so it needs no server, no port and no network, and whoever
// can read the folder can watch, over a shared file system, too.
#include <cstdint>
#include <optional>
#include <string>

#include "training/records.h"
#include "training/report/snapshot.h"
#include "training/report/snapshot_series.h"

namespace limulus {

enum class LiveState { running, finished, stopped, failed };

struct LiveMoment {
  LiveState state = LiveState::running;
  std::string doing;         // "Epoch 3 of 28, step 31 of 50": what the run is at, or how it ended
  std::int64_t written = 0;  // seconds since 1970
  std::string error;         // of a run that failed
  bool report = false;       // whether report.html is there
  bool snapshots = false;    // whether snapshots.html is
};

// Curves and filters are the sections of the report (sections.h); the maps are those of a snapshot.
// `sight` and `subject`: none where the run has no photograph.
std::string live_page(const RunReport& run, const LiveMoment& moment,
                      const std::optional<Snapshot>& sight, const SeriesSubject& subject);

}  // namespace limulus

#pragma once
// `limulus train --snapshots N`: snapshots of a run, every N epochs, kept in its folder:
//
//     snapshots/index.json               what they are of, and the numbers of each
//     snapshots/photograph.png           the photograph that they look at
//     snapshots/epoch-0004-filters.png   pictures, one point for each number: a lecture can use
//     snapshots/epoch-0004-relu1.png     them as they are
//     snapshots.html                     a page of them all with a slider
//
// A run that is resumed goes on with the series: what follows from the weights alone is the same
// picture again.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "training/records.h"
#include "training/report/snapshot.h"
#include "training/trainer.h"

namespace limulus {

// What the snapshots of one series have in common.
struct SeriesSubject {
  TrainConfig config;
  std::vector<std::string> classes;
  Photograph photograph;
};

class SnapshotSeries {
 public:
  // Makes the folder `run`/snapshots. FileError where that, or the page, cannot be written.
  explicit SnapshotSeries(std::filesystem::path run);
  ~SnapshotSeries();
  SnapshotSeries(const SnapshotSeries&) = delete;
  SnapshotSeries& operator=(const SnapshotSeries&) = delete;

  // A new series; what an earlier one left is removed. Or, `resumed`, the one that is there, but
  // without what was kept behind `epoch`. FileError where that is of another run or photograph, or
  // damaged: nothing of it is changed then.
  void begin(const SeriesSubject& subject, bool resumed, std::int64_t epoch);

  // Adds the snapshot at the end of this epoch (0: the start), and writes the page again. `record`:
  // the epoch's numbers, if there are any.
  void add(std::int64_t epoch, const Snapshot& snapshot, const EpochRecord* record);

  std::int64_t count() const;
  std::uintmax_t bytes() const;       // of the pictures
  std::uintmax_t page_bytes() const;  // of the page
  std::filesystem::path page() const { return run_ / "snapshots.html"; }

 private:
  std::filesystem::path folder() const { return run_ / "snapshots"; }
  void remove_pictures(std::int64_t behind) const;
  void write_index() const;
  void write_page() const;

  std::filesystem::path run_;
  SeriesSubject subject_;
  struct Index;  // JSON, of which this header says nothing
  std::unique_ptr<Index> index_;
};

// How many snapshots the page beside this checkpoint shows; 0 where there are none of a run with
// these settings and classes.
std::int64_t snapshots_beside(const std::filesystem::path& checkpoint, const TrainConfig& config,
                              const std::vector<std::string>& classes);

}  // namespace limulus

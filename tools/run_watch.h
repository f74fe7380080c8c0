#pragma once
// What `limulus train` leaves for those who watch it: --snapshots, --live and --tensorboard.
// None of it changes a bit of the run.
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "tools/tensorboard_log.h"
#include "tools/train_settings.h"
#include "training/report/live.h"
#include "training/report/snapshot_series.h"
#include "training/trainer.h"

namespace limulus::tools {

class RunWatch {
 public:
  // Before the first step, with the trainer as it begins or goes on. FileError where one of the
  // places cannot be written: nothing was trained then.
  RunWatch(const TrainArguments& a, Trainer& trainer);

  void step(const StepInfo& s);
  void epoch(const EpochRecord& e);
  void evaluating();  // all epochs are done, the report is being made
  // With an `error`, or if something could not be written (failure), the run has failed, whatever
  // `state` says. The live page asks for nothing new from now on.
  void end(LiveState state, std::string error);

  std::int64_t snapshots() const { return series_ ? series_->count() : 0; }
  void print_pages() const;  // where they are, and their sizes

  // What went wrong when something was written; "" if nothing did. As with the log, a run does not
  // end in the middle of a step for it.
  const std::string& failure() const { return failure_; }

 private:
  void keep(std::int64_t epoch, const EpochRecord* record);
  void look();
  void show(LiveState state, const std::string& doing, const std::string& error);
  void guarded(const std::function<void()>& write);

  Trainer& trainer_;
  std::string out_, failure_;
  std::int64_t every_;
  bool live_;
  SeriesSubject subject_;
  std::optional<SnapshotSeries> series_;
  std::unique_ptr<TensorBoardLog> tensorboard_;
  std::optional<Snapshot> sight_;  // the last one
  std::chrono::steady_clock::time_point shown_;
};

}  // namespace limulus::tools

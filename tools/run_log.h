#pragma once
// `limulus train --log FILE`: what happens, one JSON object a line, written as it happens.
//
//   {"event": "data", ...}     how the folder was read, classes, counts, settings
//   {"event": "skipped", ...}  one for each file or picture that takes no part
//   {"event": "epoch", ...}    loss and accuracy, in training and held out
//   {"event": "end", ...}      finished, stopped or failed; the final accuracies
//
// docs/training.md has an example. A run that is resumed appends: each sitting begins with "data".
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>

#include "training/trainer.h"

namespace limulus::tools {

class RunLog {
 public:
  // With an empty path nothing is logged. FileError, naming the file, when it cannot be written.
  explicit RunLog(std::string path);
  ~RunLog();
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;

  void data(const Trainer& trainer, bool resumed);
  void epoch(const Trainer& trainer, const EpochRecord& e);
  // No trainer: the run failed before there was one.
  void end(const Trainer* trainer, const std::string& state, const RunReport* report,
           const std::string& error);

  // What went wrong when a line was written; "" if nothing did. A run does not end in the middle of
  // a step for it: it saves its checkpoint first.
  const std::string& failure() const { return failure_; }

 private:
  void skipped(const Trainer& trainer);
  void write(const nlohmann::ordered_json& line);

  std::string path_, failure_;
  int file_ = -1;
  std::set<std::pair<std::string, std::string>> logged_;  // part and name of what was skipped
};

}  // namespace limulus::tools

#pragma once
// `limulus train --tensorboard DIR`: the run's curves as event files (formats/event_file.h).
//
//   training/loss, training/lr             of each step
//   epoch/training_loss, epoch/training_top1, epoch/held_out_loss, ...   of each epoch
//   filters                                the first convolution's, as a picture, of each epoch
//
// A step is counted from the run's beginning, so that a resumed run goes on where it was.
#include <string>

#include "formats/event_file.h"
#include "training/trainer.h"

namespace limulus::tools {

class TensorBoardLog {
 public:
  // FileError, naming it, where nothing can be written into the folder.
  explicit TensorBoardLog(const std::string& folder);

  // Before the first step of this sitting. Says so where the folder has another run's files.
  void begin(const Trainer& trainer, bool resumed);
  void step(const StepInfo& s);
  void epoch(const Trainer& trainer, const EpochRecord& e);

 private:
  std::string folder_;
  bool others_;  // files were there before
  EventFile file_;
};

}  // namespace limulus::tools

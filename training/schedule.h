#pragma once
// How the learning rate changes over a run.
#include <cstdint>
#include <string>
#include <vector>

namespace limulus {

enum class ScheduleKind {
  constant,
  step,     // divided by `divide_by` at each of `milestones`
  cosine,   // from lr to 0 along half a cosine (Loshchilov and Hutter 2017)
  plateau,  // the paper's: divided by `divide_by` when the validation error stops improving
};

struct ScheduleOptions {
  ScheduleKind kind = ScheduleKind::constant;
  double divide_by = 10;
  std::vector<double> milestones = {0.6, 0.85};  // step: fractions of the run
  int patience = 3;                              // plateau: epochs without a better error
  double warmup = 0;  // fraction of the run in which the rate rises evenly from 0
};

ScheduleKind parse_schedule(const std::string& word);  // ValueError lists the four words
const char* name_of(ScheduleKind kind);

// The rate is a function of the step, but for `plateau`, whose memory is `state`: it is saved in
// checkpoints, so that a resumed run has the same rates.
class Schedule {
 public:
  struct State {
    double best_error = 1;
    int epochs_without_better = 0;
    int divisions = 0;
  };

  Schedule(double lr, ScheduleOptions options, std::int64_t total_steps);

  double rate(std::int64_t step) const;       // for the step about to be made, counted from 0
  void after_epoch(double validation_error);  // in [0, 1]

  State state;

 private:
  double lr_;
  ScheduleOptions options_;
  std::int64_t total_;
};

}  // namespace limulus

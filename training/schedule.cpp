#include "training/schedule.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"
#include "core/names.h"

namespace limulus {

ScheduleKind parse_schedule(const std::string& word) {
  for (const ScheduleKind kind :
       {ScheduleKind::constant, ScheduleKind::step, ScheduleKind::cosine, ScheduleKind::plateau})
    if (word == name_of(kind)) return kind;
  throw ValueError(fmt::format("schedule: there is no '{}'{}", word,
                               known_names(word, {"constant", "step", "cosine", "plateau"})));
}

const char* name_of(ScheduleKind kind) {
  switch (kind) {
    case ScheduleKind::constant:
      return "constant";
    case ScheduleKind::step:
      return "step";
    case ScheduleKind::cosine:
      return "cosine";
    case ScheduleKind::plateau:
      return "plateau";
  }
  return "?";
}

Schedule::Schedule(double lr, ScheduleOptions options, std::int64_t total_steps)
    : lr_(lr), options_(std::move(options)), total_(std::max<std::int64_t>(1, total_steps)) {
  if (options_.divide_by <= 1)
    throw ValueError(
        fmt::format("schedule: dividing the rate by {} would not lower it; use more "
                    "than 1",
                    options_.divide_by));
  if (options_.warmup < 0 || options_.warmup >= 1)
    throw ValueError(
        fmt::format("schedule: warmup is the fraction {} of the run, but must be in "
                    "[0, 1)",
                    options_.warmup));
}

double Schedule::rate(std::int64_t step) const {
  const double done = static_cast<double>(step) / static_cast<double>(total_);
  if (done < options_.warmup)
    return lr_ * static_cast<double>(step + 1) /
           (options_.warmup * static_cast<double>(total_) + 1);
  switch (options_.kind) {
    case ScheduleKind::constant:
      return lr_;
    case ScheduleKind::step: {
      const auto passed = std::count_if(options_.milestones.begin(), options_.milestones.end(),
                                        [&](double at) { return done >= at; });
      return lr_ / std::pow(options_.divide_by, passed);
    }
    case ScheduleKind::cosine: {
      const double part = std::min(1.0, (done - options_.warmup) / (1 - options_.warmup));
      return lr_ * 0.5 * (1 + std::cos(std::numbers::pi * part));
    }
    case ScheduleKind::plateau:
      return lr_ / std::pow(options_.divide_by, state.divisions);
  }
  return lr_;
}

void Schedule::after_epoch(double validation_error) {
  if (options_.kind != ScheduleKind::plateau) return;
  if (validation_error < state.best_error) {
    state.best_error = validation_error;
    state.epochs_without_better = 0;
  } else if (++state.epochs_without_better >= options_.patience) {
    state.epochs_without_better = 0;
    ++state.divisions;
  }
}

}  // namespace limulus

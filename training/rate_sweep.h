#pragma once
// Which learning rate? A sweep tries all of them in one short run (Smith 2015, "Cyclical Learning
// Rates for Training Neural Networks", section 3.3): from step to step the rate grows by the same
// factor, and the loss shows what becomes of it.
//
//   r_i = lowest (highest / lowest)^(i / (steps - 1))            i = 0 ... steps - 1
//
// While the rate is too small the loss hardly moves, then it falls, and at last the steps are too
// long, and it blows up. Losses of single batches are noisy, so two things are read from many of
// them:
//
//   smoothed_i = (1 - keep) sum over j <= i of keep^(i-j) loss_j / (1 - keep^(i+1))
//                the mean of the last losses, the newest with the largest weight: where it is the
//                least, and where it has blown up: to `blow_up` times the least loss so far (that
//                of the start included), and to more than the start's
//   slope_i      of the straight line through the losses of the `reach` steps on either side of i
//                (least squares) over log10 r: how fast the loss falls per decade. A line in the
//                middle of its losses lags behind nothing, as the mean does; and it has a
//                standard error, which tells a fall from noise.
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "training/trainer.h"

namespace limulus {

struct RateSweepOptions {
  double lowest = 1e-5, highest = 10;
  std::int64_t steps = 121;  // 20 in a decade
  double keep = 0.9;         // of the mean, from one step to the next
  double blow_up = 4;
  std::int64_t reach = 15;  // three quarters of a decade
};

struct RateStep {
  double rate = 0;
  double loss = 0;  // of the batch that followed a step at this rate; perhaps not a number
  double smoothed = 0;
};

// Why a rate is suggested.
enum class RateReason {
  steepest,          // the loss falls most steeply there, and that is the more careful rate
  tenth_of_blow_up,  // a tenth of the rate at which it blew up: less, or it falls nowhere clearly
  none,              // it neither fell clearly nor blew up
};

struct RateSweep {
  double start = 0;  // the loss before the first step
  std::vector<RateStep> steps;
  std::int64_t batches = 0, images = 0;  // that were looked at, the first batch included
  std::int64_t set = 0;                  // usable images in the training part
  bool blew_up = false;                  // at the last of the steps; else all rates were tried
  std::optional<std::size_t> least;      // of `steps`: the least smoothed loss
  std::optional<std::size_t> steepest;   // where the loss falls most steeply; none: nowhere clearly
  double fall = 0;                       // there, per decade of the rate
  RateReason reason = RateReason::none;
  double suggestion = 0;  // two digits; 0: none
};

// The rates that are tried. ValueError where the options make no sense.
std::vector<double> rates_of(const RateSweepOptions& options);

// The loss behind a step at the next rate; false: the loss blew up, and no more is to be tried.
bool add_rate(RateSweep& sweep, double rate, double loss, const RateSweepOptions& options);

// Fills in what the steps tell.
void conclude(RateSweep& sweep, const RateSweepOptions& options);

// The whole of it, with a trainer that is of no use afterwards. `seen` is called after each step.
// FileError where the training part has fewer pictures than a batch: every step would see all of
// them. Error where the loss is not a number before any step was made, or blows up at the first.
RateSweep sweep_rates(Trainer& trainer, const RateSweepOptions& options = {},
                      const std::function<void(const RateSweep&)>& seen = {});

}  // namespace limulus

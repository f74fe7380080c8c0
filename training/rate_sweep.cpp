#include "training/rate_sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace limulus {

// ---- one step at each rate ----------------------------------------------------------------------

void Trainer::try_rates(const std::vector<double>& rates,
                        const std::function<bool(const TriedRate&)>& seen) {
  Batch batch;
  model_->train();
  std::int64_t epoch = 0;
  bool any = false;  // of this epoch's batches
  loader_->start(epoch);
  // The loss of a batch tells what the step before it did, so one batch more than there are rates.
  for (std::size_t i = 0; i <= rates.size(); ++i) {
    while (!loader_->next(batch)) {
      if (!any)
        throw FileError(
            fmt::format("train: none of the {} training images in {} can be used any more",
                        data_.train.size(), config_.data));
      any = false;
      loader_->start(++epoch);
    }
    any = true;
    const auto made = train_step(batch, i < rates.size() ? rates[i] : 0);
    ++progress_.step;  // the next step's dropout masks are others
    if (!seen({i > 0 ? rates[i - 1] : 0, made.loss, batch.size}) || !std::isfinite(made.loss))
      return;
  }
}

// ---- what the losses tell -----------------------------------------------------------------------

namespace {

struct Line {
  double slope = 0, error = 0;  // the slope's standard error
};

// The straight line through (x, y) by least squares.
//     slope = sum (x - mean x)(y - mean y) / sum (x - mean x)^2
//     error = sqrt( sum of squared residuals / (n - 2) / sum (x - mean x)^2 )
Line line_through(const std::vector<double>& x, const std::vector<double>& y) {
  const auto n = static_cast<double>(x.size());
  double mean_x = 0, mean_y = 0, xx = 0, xy = 0, left = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    mean_x += x[i] / n;
    mean_y += y[i] / n;
  }
  for (std::size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    xy += (x[i] - mean_x) * (y[i] - mean_y);
  }
  const double slope = xy / xx;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double off = y[i] - mean_y - slope * (x[i] - mean_x);
    left += off * off;
  }
  return {slope, std::sqrt(left / (n - 2) / xx)};
}

// Where the line through the losses falls most steeply, of the lines that end at the least smoothed
// loss at the latest. A fall counts where it is four times its standard error: of the many pieces
// of a flat, noisy stretch the steepest is steep by chance.
void find_steepest(RateSweep& sweep, std::size_t reach) {
  constexpr double clear = 4;
  for (std::size_t i = reach; i + reach <= *sweep.least; ++i) {
    std::vector<double> x, y;
    for (std::size_t j = i - reach; j <= i + reach; ++j) {
      x.push_back(std::log10(sweep.steps[j].rate));
      y.push_back(sweep.steps[j].loss);
    }
    const Line line = line_through(x, y);
    if (line.slope + clear * line.error >= 0 || -line.slope <= sweep.fall) continue;
    sweep.fall = -line.slope;
    sweep.steepest = i;
  }
}

double two_digits(double value) {
  const double unit = std::pow(10.0, std::floor(std::log10(value)) - 1);
  return std::round(value / unit) * unit;
}

}  // namespace

std::vector<double> rates_of(const RateSweepOptions& o) {
  if (!(o.lowest > 0 && o.highest > o.lowest && std::isfinite(o.highest)) || o.steps < 2 ||
      !(o.keep >= 0 && o.keep < 1) || !(o.blow_up > 1) || o.reach < 2)
    throw ValueError(fmt::format(
        "find-rate: {} rates from {:g} to {:g}, of the mean {:g} is kept, {:g} times the least "
        "loss is too much, lines of {} losses on either side: there have to be two rates, the "
        "lowest above 0 and below the highest, 0 <= kept < 1, more than once the least loss, and "
        "two losses or more",
        o.steps, o.lowest, o.highest, o.keep, o.blow_up, o.reach));
  std::vector<double> rates;
  for (std::int64_t i = 0; i < o.steps; ++i)
    rates.push_back(o.lowest * std::pow(o.highest / o.lowest,
                                        static_cast<double>(i) / static_cast<double>(o.steps - 1)));
  return rates;
}

bool add_rate(RateSweep& sweep, double rate, double loss, const RateSweepOptions& o) {
  // A sum of keep^(i-j) loss_j follows from the one before it.
  const double before = sweep.steps.empty() ? 0 : sweep.steps.back().smoothed;
  const auto n = static_cast<double>(sweep.steps.size());
  const double sum = o.keep * before * (1 - std::pow(o.keep, n)) + (1 - o.keep) * loss;
  sweep.steps.push_back({rate, loss, sum / (1 - std::pow(o.keep, n + 1))});
  const double smoothed = sweep.steps.back().smoothed;
  if (!std::isfinite(smoothed)) {
    sweep.blew_up = true;
    return false;
  }
  if (!sweep.least || smoothed < sweep.steps[*sweep.least].smoothed)
    sweep.least = sweep.steps.size() - 1;
  const double least = std::min(sweep.steps[*sweep.least].smoothed, sweep.start);
  sweep.blew_up = smoothed > std::max(o.blow_up * least, sweep.start);
  return !sweep.blew_up;
}

void conclude(RateSweep& sweep, const RateSweepOptions& o) {
  if (sweep.least) find_steepest(sweep, static_cast<std::size_t>(o.reach));
  const double tenth = sweep.blew_up ? sweep.steps.back().rate / 10 : 0;
  const double steepest = sweep.steepest ? sweep.steps[*sweep.steepest].rate : 0;
  if (steepest > 0 && (tenth == 0 || steepest <= tenth)) {
    sweep.reason = RateReason::steepest;
    sweep.suggestion = two_digits(steepest);
  } else if (tenth > 0) {
    sweep.reason = RateReason::tenth_of_blow_up;
    sweep.suggestion = two_digits(tenth);
  }
}

RateSweep sweep_rates(Trainer& trainer, const RateSweepOptions& o,
                      const std::function<void(const RateSweep&)>& seen) {
  const std::vector<double> rates = rates_of(o);
  RateSweep sweep;
  sweep.set = trainer.usable_train();
  const std::int64_t batch = trainer.config().batch;
  if (sweep.set < batch)
    throw FileError(fmt::format(
        "find-rate: the training part of {} has {} usable images, fewer than a batch of {}: every "
        "step would see all of them, and the loss would fall because they are learned by heart; "
        "give more images, or --batch {}",
        trainer.config().data, sweep.set, batch, std::max<std::int64_t>(1, sweep.set / 4)));
  trainer.try_rates(rates, [&](const TriedRate& tried) {
    ++sweep.batches;
    sweep.images += tried.images;
    if (tried.rate == 0) {
      sweep.start = tried.loss;
      if (!std::isfinite(tried.loss))
        throw Error(fmt::format(
            "find-rate: the loss is {} before any step was made, so that the rate is not the "
            "reason: the pixels' scale or the first weights may be (--recipe), or "
            "LIMULUS_CONV=direct tells whether Winograd's convolutions are",
            tried.loss));
      return true;
    }
    const bool on = add_rate(sweep, tried.rate, tried.loss, o);
    if (!on && sweep.steps.size() == 1)
      throw Error(fmt::format(
          "find-rate: the loss was {:.4g} before the first step and {:.4g} behind it, at the "
          "lowest rate, {:g}: no rate of this sweep is small enough. The pixels' scale or the "
          "first weights are probably too large (--recipe default)",
          sweep.start, tried.loss, tried.rate));
    if (seen) seen(sweep);
    return on;
  });
  conclude(sweep, o);
  return sweep;
}

}  // namespace limulus

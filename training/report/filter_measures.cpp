#include "training/report/filter_measures.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "training/data/augment.h"

namespace limulus {
namespace {

double mean_of(const std::vector<double>& all, const std::vector<std::int64_t>& order,
               std::size_t begin, std::size_t end) {
  double sum = 0;
  for (std::size_t i = begin; i < end; ++i) sum += all[static_cast<std::size_t>(order[i])];
  return sum / static_cast<double>(end - begin);
}

double colour_of(const double* w, std::int64_t channels, std::int64_t area) {
  double energy = 0, grey = 0;
  for (std::int64_t i = 0; i < area; ++i) {
    double sum = 0;
    for (std::int64_t c = 0; c < channels; ++c) {
      const double value = w[c * area + i];
      sum += value;
      energy += value * value;
    }
    grey += sum * sum / static_cast<double>(channels);
  }
  return energy > 0 ? std::clamp(1 - grey / energy, 0.0, 1.0) : 0;
}

}  // namespace

FilterMeasures measure_filter(const double* w, std::int64_t channels, std::int64_t rows,
                              std::int64_t columns) {
  FilterMeasures m;
  const std::int64_t area = rows * columns;
  if (!std::all_of(w, w + channels * area, [](double v) { return std::isfinite(v); })) return m;
  m.colour = colour_of(w, channels, area);
  double xx = 0, xy = 0, yy = 0;  // slopes in the middle of four pixels: both use all of them
  for (std::int64_t c = 0; c < channels; ++c)
    for (std::int64_t r = 0; r + 1 < rows; ++r)
      for (std::int64_t s = 0; s + 1 < columns; ++s) {
        const double* p = w + c * area + r * columns + s;
        const double gx = (p[1] + p[columns + 1] - p[0] - p[columns]) / 2;
        const double gy = (p[columns] + p[columns + 1] - p[0] - p[1]) / 2;
        xx += gx * gx;
        xy += gx * gy;
        yy += gy * gy;
      }
  if (!(xx + yy > 0)) return m;
  // The eigenvalues of J are (trace +- root)/2.
  const double root = std::hypot(xx - yy, 2 * xy);
  m.coherence = root / (xx + yy);
  // The steepest direction, downward rows counted as y; stripes run across it. Upward is positive.
  const double steepest = std::atan2(2 * xy, xx - yy) / 2;
  m.angle = std::fmod(270 - steepest * 180 / std::numbers::pi, 180);
  return m;
}

double chance_of_difference(const std::vector<double>& a, const std::vector<double>& b,
                            std::int64_t tries, std::uint64_t seed) {
  if (a.empty() || b.empty() || tries < 1) return 1;
  std::vector<double> all = a;
  all.insert(all.end(), b.begin(), b.end());
  std::vector<std::int64_t> order(all.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  const auto difference = [&] {
    return std::abs(mean_of(all, order, 0, a.size()) - mean_of(all, order, a.size(), all.size()));
  };
  // The same sum in another order may differ by a rounding.
  const double seen = difference() * (1 - 1e-12);
  std::int64_t as_large = 0;
  for (std::int64_t i = 0; i < tries; ++i) {
    order = random_permutation(static_cast<std::int64_t>(all.size()),
                               {seed, static_cast<std::uint64_t>(i)});
    as_large += difference() >= seen ? 1 : 0;
  }
  return static_cast<double>(as_large) / static_cast<double>(tries);
}

}  // namespace limulus

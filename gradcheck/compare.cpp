#include "gradcheck/compare.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "gradcheck/map.h"

namespace limulus {

using Values = std::vector<double>;

namespace {

// ---- which entries --------------------------------------------------------------------------

std::vector<std::int64_t> shuffled(std::int64_t n, Rng& rng) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);
  return order;
}

// All entries; or the corners, and others such that each index of each axis comes up as often as
// the others: every channel, every row, every tap of a kernel, once there are enough of them.
std::vector<std::int64_t> choose(const Shape& shape, std::int64_t most, Rng& rng) {
  const std::int64_t n = shape.numel();
  std::set<std::int64_t> chosen;
  if (n <= most) {
    for (std::int64_t i = 0; i < n; ++i) chosen.insert(i);
    return {chosen.begin(), chosen.end()};
  }
  std::vector<std::int64_t> index(static_cast<std::size_t>(shape.rank()));
  for (std::int64_t corner = 0; corner < std::int64_t{1} << std::min(shape.rank(), 5); ++corner) {
    for (int axis = 0; axis < shape.rank(); ++axis)
      index[static_cast<std::size_t>(axis)] = (corner >> axis) % 2 == 1 ? shape[axis] - 1 : 0;
    chosen.insert(flat_of(index, shape));
  }
  std::vector<std::vector<std::int64_t>> left(static_cast<std::size_t>(shape.rank()));
  while (static_cast<std::int64_t>(chosen.size()) < most) {
    for (int axis = 0; axis < shape.rank(); ++axis) {
      auto& pile = left[static_cast<std::size_t>(axis)];
      if (pile.empty()) pile = shuffled(shape[axis], rng);
      index[static_cast<std::size_t>(axis)] = pile.back();
      pile.pop_back();
    }
    chosen.insert(flat_of(index, shape));
  }
  return {chosen.begin(), chosen.end()};
}

// ---- judging --------------------------------------------------------------------------------

double relative(double a, double b, double least) {
  const double size = std::max({std::abs(a), std::abs(b), least});
  return !std::isfinite(a) ? std::numeric_limits<double>::infinity()
         : size == 0       ? 0
                           : std::abs(a - b) / size;
}

double median(Values v) {
  if (v.empty()) return 0;
  const auto middle = v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2);
  std::nth_element(v.begin(), middle, v.end());
  return *middle;
}

// The median of the slopes that are not zero: entries below it are judged by it, so that a slope
// which is almost zero is not held to a relative precision that it cannot have.
double typical_size(const std::vector<NumericSlope>& numeric) {
  Values sizes;
  for (const NumericSlope& n : numeric)
    if (std::isfinite(n.value) && std::abs(n.value) > n.noise) sizes.push_back(std::abs(n.value));
  return median(sizes);
}

// Rounding is about the same for all entries, but how much of it shows is a matter of luck. So an
// entry's own estimate counts only if it is above the median.
void share_rounding(std::vector<NumericSlope>& numeric) {
  Values rounding;  // of y
  for (const NumericSlope& n : numeric)
    if (std::isfinite(n.noise)) rounding.push_back(n.noise * n.step);
  const double typical = median(rounding);
  for (NumericSlope& n : numeric) n.noise = std::max(n.noise, typical / n.step);
}

// Measures with smaller and smaller steps until there is only one slope. A kink that is merely near
// is then outside of [x - h, x + h]. Returns whether there is a slope at all.
template <class Measure>
bool settle(NumericSlope& n, double scale, double tolerance, Measure measure) {
  for (int attempt = 0; attempt < 3 && !n.smooth(tolerance, scale); ++attempt) {
    const double rounding = n.noise * n.step;  // of y; it does not get less where y changes less
    n = measure(n.step / 32);
    n.noise = std::max(n.noise, rounding / n.step);
  }
  return n.smooth(tolerance, scale);
}

bool is_wrong(double analytic, const NumericSlope& n, double scale, double tolerance) {
  if (!std::isfinite(analytic)) return true;  // a fraction of infinity would allow any error
  const double size = std::max({std::abs(analytic), std::abs(n.value), scale});
  return !(std::abs(analytic - n.value) <= n.uncertainty() + tolerance * size);
}

// All entries along one random direction u: <gradient, u> against the slope of L(x + t u). One
// wrong entry of n changes it by 1/sqrt(n) of its error, which is still seen in double.
bool wrong_together(GradcheckTensor& t, const Tensor& x, const Values& gradient, double scale,
                    const FiniteDifferences& differences, const GradcheckOptions& options,
                    Rng& rng) {
  Values u;
  double analytic = 0;
  const double length = std::sqrt(static_cast<double>(gradient.size()));
  for (const double g : gradient) {
    u.push_back(rng.uniform(0.5, 1.5) * (rng.below(2) == 0 ? 1 : -1) / length);
    analytic += g * u.back();
  }
  NumericSlope n = differences.along(x, u, options.step);
  const auto measure = [&](double h) { return differences.along(x, u, h); };
  if (!settle(n, scale, options.tolerance, measure)) return false;  // kinks on the way
  t.together_error = relative(analytic, n.value, scale);
  return is_wrong(analytic, n, scale, options.tolerance);
}

// ---- where the errors are ---------------------------------------------------------------------

std::size_t bin_of(double error) {
  if (!(error > 0)) return 0;
  const double decade = std::floor(std::log10(error)) + 17;  // 1e-16 -> 1, 1 -> 17
  return static_cast<std::size_t>(std::clamp(decade, 0.0, double{GradcheckTensor::bins - 1}));
}

void describe_errors(GradcheckTensor& t, const std::vector<GradcheckEntry>& entries) {
  for (const GradcheckEntry& e : entries) ++t.histogram[bin_of(e.error)];
  t.maps = empty_maps(t.shape);
  for (GradcheckMap& map : t.maps)
    for (const GradcheckEntry& e : entries) mark(map, t.shape, e.index, e.error, e.wrong);
}

// The V: for the worst entry if one is wrong, else for the one with the largest gradient.
void sweep_steps(GradcheckTensor& t, const std::vector<GradcheckEntry>& entries, const Tensor& x,
                 const Values& values, const FiniteDifferences& differences) {
  const GradcheckEntry* e = t.wrong > 0 ? &t.worst.front() : nullptr;
  for (const GradcheckEntry& other : entries)
    if (t.wrong == 0 && (e == nullptr || std::abs(other.numeric) > std::abs(e->numeric)))
      e = &other;
  if (e == nullptr || !std::isfinite(e->analytic)) return;
  const double size = std::max(std::abs(e->analytic), std::abs(e->numeric));
  if (size == 0) return;
  t.curve.index = e->index;
  const std::int64_t i = flat_of(e->index, t.shape);
  for (int third = -3; third >= -30; --third) {  // three steps a decade
    const double h = std::pow(10.0, third / 3.0);
    const auto [forward, central] =
        differences.simple(x, i, values[static_cast<std::size_t>(i)], h);
    t.curve.step.push_back(h);
    t.curve.forward.push_back(std::abs(forward - e->analytic) / size);
    t.curve.central.push_back(std::abs(central - e->analytic) / size);
  }
}

}  // namespace

std::vector<GradcheckEntry> compare_gradient(GradcheckTensor& t, const Tensor& x,
                                             const Values& gradient,
                                             const FiniteDifferences& differences,
                                             const GradcheckOptions& options, Rng& rng) {
  const Values values = x.to_vector<double>();
  const std::vector<std::int64_t> chosen = choose(t.shape, options.max_entries, rng);
  const auto measure = [&](std::int64_t i, double h) {
    return differences.at(x, i, values[static_cast<std::size_t>(i)], h);
  };
  std::vector<NumericSlope> numeric;
  for (const std::int64_t i : chosen)
    numeric.push_back(
        measure(i, options.step * std::max(1.0, std::abs(values[static_cast<std::size_t>(i)]))));
  const double scale = typical_size(numeric);
  share_rounding(numeric);

  std::vector<GradcheckEntry> entries;
  double largest = 0, noise = 0;
  for (std::size_t k = 0; k < chosen.size(); ++k) {
    const std::int64_t i = chosen[k];
    NumericSlope& n = numeric[k];
    const double analytic = gradient[static_cast<std::size_t>(i)];
    const bool slope = settle(n, scale, options.tolerance, [&](double h) { return measure(i, h); });
    if (!slope && !std::isnan(analytic)) {  // at a kink anything goes, but NaN is wrong anywhere
      ++t.skipped;
      continue;
    }
    GradcheckEntry e{index_of(i, t.shape), analytic, n.value, n.uncertainty(), n.step};
    e.relative_error = relative(analytic, n.value, 0);
    e.error = relative(analytic, n.value, scale);
    e.wrong = is_wrong(analytic, n, scale, options.tolerance);
    t.wrong += e.wrong;
    const double size = std::max({std::abs(analytic), std::abs(n.value), scale});
    if (!(size <= largest)) largest = size;
    noise = std::max(noise, n.noise);
    entries.push_back(std::move(e));
  }
  t.compared = static_cast<std::int64_t>(entries.size());
  const bool all = chosen.size() == gradient.size();
  const bool together = !all && wrong_together(t, x, gradient, scale, differences, options, rng);
  if (t.wrong > 0 || together) {
    t.verdict = GradcheckVerdict::wrong;
    if (t.wrong == 0)
      t.diagnosis = fmt::format(
          "the {} entries that were compared one by one are right, but the gradient along one "
          "direction through all {} is off by {:.1e}: compare more of them",
          t.compared, gradient.size(), t.together_error);
  } else if (t.compared == 0 || static_cast<double>(t.skipped) >
                                    options.max_skipped * static_cast<double>(chosen.size())) {
    t.verdict = GradcheckVerdict::vacuous;
    t.diagnosis = fmt::format(
        "only {} of {} entries could be compared: choose values away from "
        "the places where the function has no derivative",
        t.compared, chosen.size());
  } else if (largest <= std::max(1e-12, 100 * noise)) {
    t.verdict = GradcheckVerdict::vacuous;
    t.diagnosis =
        largest == 0 ? "both sides are zero everywhere: this result does not depend on this tensor"
                     : fmt::format(
                           "no slope is larger than {:.1e}, and rounding of the result alone gives "
                           "slopes of {:.1e}: bring inputs and result to a size of about 1",
                           largest, std::max(1e-12, noise));
  }

  std::vector<GradcheckEntry> sorted = entries;
  const auto worse = [](const GradcheckEntry& a, const GradcheckEntry& b) {
    if (a.wrong != b.wrong) return a.wrong;
    return a.wrong ? a.error > b.error : a.relative_error > b.relative_error;
  };
  std::stable_sort(sorted.begin(), sorted.end(), worse);
  sorted.resize(std::min(options.show, sorted.size()));
  t.worst = std::move(sorted);
  describe_errors(t, entries);
  if (options.curves) sweep_steps(t, entries, x, values, differences);
  return entries;
}

}  // namespace limulus

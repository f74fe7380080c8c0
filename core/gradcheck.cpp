#include "core/gradcheck.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>

#include "core/error.h"
#include "core/finite_differences.h"
#include "core/rng.h"

namespace limulus {
namespace {

using Values = std::vector<double>;
using Function = std::function<Tensor(const std::vector<Tensor>&)>;

bool same_bits(const Values& a, const Values& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0);
}

std::int64_t count_nan(const Values& v) {
  return std::count_if(v.begin(), v.end(), [](double x) { return std::isnan(x); });
}

// Puts back what a check changes on its inputs besides their values, also when f throws.
class KeepGradients {
 public:
  explicit KeepGradients(std::vector<Tensor> inputs) : inputs_(std::move(inputs)) {
    for (Tensor& t : inputs_) {
      before_.emplace_back(t.requires_grad(), t.grad());
      t.set_requires_grad();
    }
  }
  ~KeepGradients() {
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      inputs_[i].impl()->requires_grad = before_[i].first;
      inputs_[i].impl()->grad = before_[i].second;
    }
  }
  KeepGradients(const KeepGradients&) = delete;
  KeepGradients& operator=(const KeepGradients&) = delete;

 private:
  std::vector<Tensor> inputs_;
  std::vector<std::pair<bool, Tensor>> before_;
};

// ---- which entries --------------------------------------------------------------------------

std::vector<std::int64_t> index_of(std::int64_t flat, const Shape& shape) {
  std::vector<std::int64_t> index(static_cast<std::size_t>(shape.rank()));
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    index[static_cast<std::size_t>(axis)] = flat % shape[axis];
    flat /= shape[axis];
  }
  return index;
}

// All entries, or the corners and a random choice of others.
std::vector<std::int64_t> choose(const Shape& shape, std::int64_t most, Rng& rng) {
  const std::int64_t n = shape.numel();
  std::set<std::int64_t> chosen;
  if (n <= most) {
    for (std::int64_t i = 0; i < n; ++i) chosen.insert(i);
  } else {
    for (std::int64_t corner = 0; corner < std::int64_t{1} << std::min(shape.rank(), 8); ++corner) {
      std::int64_t flat = 0;
      for (int axis = 0; axis < shape.rank(); ++axis)
        flat = flat * shape[axis] + ((corner >> axis) % 2 == 1 ? shape[axis] - 1 : 0);
      chosen.insert(flat);
    }
    while (static_cast<std::int64_t>(chosen.size()) < most)
      chosen.insert(static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(n))));
  }
  return {chosen.begin(), chosen.end()};
}

// ---- judging --------------------------------------------------------------------------------

double relative_error(double a, double b) {
  const double size = std::max(std::abs(a), std::abs(b));
  return std::isnan(a) ? std::numeric_limits<double>::infinity()
         : size == 0   ? 0
                       : std::abs(a - b) / size;
}

// Which well-known mistake would look like this?
std::string diagnose(const std::vector<GradcheckEntry>& entries, double scale) {
  std::int64_t unwritten = 0, zeros = 0, significant = 0;
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const GradcheckEntry& e : entries) {
    if (std::isnan(e.analytic)) ++unwritten;
    if (e.analytic == 0) ++zeros;
    if (std::abs(e.numeric) < 1e-3 * scale) continue;
    ++significant;
    low = std::min(low, e.analytic / e.numeric);
    high = std::max(high, e.analytic / e.numeric);
  }
  const auto count = static_cast<std::int64_t>(entries.size());
  if (unwritten > 0)
    return fmt::format(
        "{} of {} gradients are NaN: never written by backward, or computed from memory that was "
        "never written",
        unwritten, count);
  if (zeros == count) return "analytic is zero everywhere: this gradient was not computed";
  const double ratio = (low + high) / 2;
  const bool constant =
      significant >= 2 && high - low <= 1e-4 * std::abs(high) &&
      std::all_of(entries.begin(), entries.end(), [&](const GradcheckEntry& e) {
        return std::abs(e.analytic - ratio * e.numeric) <= 1e-3 * scale * std::abs(ratio);
      });
  if (constant && std::abs(ratio + 1) < 1e-4)
    return "analytic is -1 x numeric everywhere: a sign is wrong";
  if (constant)
    return fmt::format("analytic is {:.6g} x numeric everywhere: a factor is missing or extra",
                       ratio);
  // All wrong ones at one end of an axis?
  const auto everywhere = [&](auto at_end) {
    return std::all_of(entries.begin(), entries.end(),
                       [&](const GradcheckEntry& e) { return !e.wrong || at_end(e); });
  };
  for (std::size_t axis = 0; axis < entries[0].index.size(); ++axis) {
    std::int64_t last = 0;
    for (const GradcheckEntry& e : entries) last = std::max(last, e.index[axis]);
    if (last < 2) continue;
    if (everywhere([&](const GradcheckEntry& e) { return e.index[axis] == 0; }))
      return fmt::format("wrong only at the first index of axis {}: look at that border", axis);
    if (everywhere([&](const GradcheckEntry& e) { return e.index[axis] == last; }))
      return fmt::format("wrong only at the last index of axis {}: look at that border", axis);
  }
  return "";
}

// The median of the slopes that are not zero: entries below it are judged by it, so that a slope
// which is almost zero is not held to a relative precision that it cannot have.
double typical_size(const std::vector<NumericSlope>& numeric) {
  Values sizes;
  for (const NumericSlope& n : numeric)
    if (std::isfinite(n.value) && std::abs(n.value) > n.noise) sizes.push_back(std::abs(n.value));
  if (sizes.empty()) return 0;
  const auto middle = sizes.begin() + static_cast<std::ptrdiff_t>(sizes.size() / 2);
  std::nth_element(sizes.begin(), middle, sizes.end());
  return *middle;
}

// Compares dL/dx with differences, entry by entry, and fills in the report on one input.
void compare(GradcheckTensor& t, const Tensor& x, const Values& gradient,
             const FiniteDifferences& differences, const GradcheckOptions& options, Rng& rng) {
  const Values values = x.to_vector<double>();
  const std::vector<std::int64_t> chosen = choose(t.shape, options.max_entries, rng);
  const auto value = [&](std::int64_t i) { return values[static_cast<std::size_t>(i)]; };
  const auto step = [&](std::int64_t i) {
    return options.step * std::max(1.0, std::abs(value(i)));
  };

  std::vector<NumericSlope> numeric;
  for (const std::int64_t i : chosen) numeric.push_back(differences.at(x, i, value(i), step(i)));
  const double scale = typical_size(numeric);

  std::vector<GradcheckEntry> entries;
  double largest = 0, noise = 0;
  for (std::size_t k = 0; k < chosen.size(); ++k) {
    const std::int64_t i = chosen[k];
    NumericSlope& n = numeric[k];
    double h = step(i);
    for (int attempt = 0; attempt < 3 && !n.smooth(options.tolerance, scale); ++attempt)
      n = differences.at(x, i, value(i), h /= 32);
    const double analytic = gradient[static_cast<std::size_t>(i)];
    // NaN is wrong anywhere; other values are anyone's choice at a kink.
    if (!n.smooth(options.tolerance, scale) && !std::isnan(analytic)) {
      ++t.skipped;
      continue;
    }
    GradcheckEntry e{index_of(i, t.shape), analytic, n.value, n.uncertainty()};
    e.relative_error = relative_error(e.analytic, e.numeric);
    const double size = std::max({std::abs(e.analytic), std::abs(e.numeric), scale});
    e.wrong = !(std::abs(e.analytic - e.numeric) <= e.uncertainty + options.tolerance * size);
    t.wrong += e.wrong;
    if (!(size <= largest)) largest = size;
    noise = std::max(noise, n.noise);
    entries.push_back(std::move(e));
  }
  t.compared = static_cast<std::int64_t>(entries.size());
  if (t.wrong > 0) {
    t.verdict = GradcheckVerdict::wrong;
    t.diagnosis = diagnose(entries, scale);
  } else if (t.compared == 0 || static_cast<double>(t.skipped) >
                                    options.max_skipped * static_cast<double>(chosen.size())) {
    t.verdict = GradcheckVerdict::vacuous;
    t.diagnosis = fmt::format(
        "only {} of {} entries could be compared: choose values away from "
        "the places where the function has no derivative",
        t.compared, chosen.size());
  } else if (largest <= std::max(1e-12, 100 * noise)) {
    t.verdict = GradcheckVerdict::vacuous;
    t.diagnosis = "both sides are zero everywhere: this result does not depend on this tensor";
  }
  const auto worse = [](const GradcheckEntry& a, const GradcheckEntry& b) {
    return a.wrong != b.wrong ? a.wrong : a.relative_error > b.relative_error;
  };
  const std::size_t kept = std::min(options.show, entries.size());
  std::partial_sort(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(kept),
                    entries.end(), worse);
  entries.resize(kept);
  t.worst = std::move(entries);
}

// One forward and one backward pass: y, and the gradient of each input (empty: never reached).
std::pair<Values, std::vector<Values>> run(const Function& f, const std::vector<Tensor>& in,
                                           std::vector<Tensor>& checked, Values& v, Rng& rng) {
  for (Tensor& t : checked) t.zero_grad();
  const Tensor y = f(in);
  if (y.dtype() != DType::f64)
    throw DTypeError(
        fmt::format("gradcheck: the result is {}; it must be computed in f64 to tell "
                    "a wrong gradient from rounding",
                    name_of(y.dtype())));
  // Cotangents away from zero, so that no result goes unnoticed.
  while (static_cast<std::int64_t>(v.size()) < y.numel())
    v.push_back(rng.uniform(0.5, 1.5) * (rng.below(2) == 0 ? 1 : -1));
  std::vector<Values> gradients;
  if (y.requires_grad()) y.backward(Tensor::from(v, y.shape(), y.backend()));
  for (const Tensor& t : checked)
    gradients.push_back(t.grad().defined() ? t.grad().to_vector<double>() : Values());
  return {y.to_vector<double>(), std::move(gradients)};
}

}  // namespace

GradcheckReport gradcheck(const Function& f,
                          const std::vector<std::pair<std::string, Tensor>>& inputs,
                          const GradcheckOptions& options) {
  GradcheckReport report;
  std::vector<Tensor> in, checked;
  for (const auto& [name, t] : inputs) {
    in.push_back(t);
    if (t.dtype() == DType::f32)
      throw DTypeError(fmt::format(
          "gradcheck: '{}' is f32, in which differences of nearby values keep 3 digits at best; "
          "use to_dtype(DType::f64)",
          name));
    if (t.dtype() != DType::f64) continue;
    checked.push_back(t);
    GradcheckTensor& entry = report.tensors.emplace_back();
    entry.name = name;
    entry.shape = t.shape();
  }
  Rng rng(options.seed, stream_of("gradcheck"));
  const KeepGradients keep(checked);
  const PoisonEmpty poison;
  Values v;
  const auto [y, gradients] = run(f, in, checked, v, rng);
  const auto [y_again, gradients_again] = run(f, in, checked, v, rng);

  const NoGrad numeric_side;
  const FiniteDifferences differences(f, in, v, y);
  for (std::size_t i = 0; i < checked.size(); ++i) {
    GradcheckTensor& t = report.tensors[i];
    const bool reached = !gradients[i].empty();
    if (!same_bits(y, y_again) || !same_bits(gradients[i], gradients_again[i])) {
      t.verdict = GradcheckVerdict::nondeterministic;
      t.diagnosis = same_bits(y, y_again)
                        ? "two backward passes with the same inputs gave different gradients"
                        : "two forward passes with the same inputs gave different results";
      if (count_nan(y) == 0) continue;
    }
    if (const std::int64_t nans = count_nan(y); nans > 0) {
      t.verdict = GradcheckVerdict::wrong;
      t.diagnosis = fmt::format(
          "{} of {} values of the result are NaN: never written by forward, or computed from "
          "memory that was never written",
          nans, y.size());
      continue;
    }
    compare(t, checked[i],
            reached ? gradients[i] : Values(static_cast<std::size_t>(t.shape.numel())), differences,
            options, rng);
    if (!reached && t.wrong > 0) t.diagnosis = "backward never reached this tensor";
  }
  return report;
}

}  // namespace limulus

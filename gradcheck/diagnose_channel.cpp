// Mistakes in what is the same all over a tensor or a channel: a constant, a factor, normalization
// by statistics.
#include <fmt/core.h>

#include <cmath>
#include <set>

#include "gradcheck/diagnosis.h"

namespace limulus {
namespace {

using Values = std::vector<double>;

// Fits target = sum over b of c_b basis_b in each slice along `axis` (least squares by Gram and
// Schmidt), and returns the fit; empty when slices have too few entries to tell.
Values fit_slices(const GradcheckEvidence& e, int axis, const Values& target,
                  std::vector<Values> basis) {
  const auto slices = static_cast<std::size_t>(e.x_shape[axis]);
  if (e.size() < slices * (basis.size() + 2)) return {};
  std::vector<std::size_t> slice;
  for (const std::int64_t flat : e.at)
    slice.push_back(
        static_cast<std::size_t>(index_of(flat, e.x_shape)[static_cast<std::size_t>(axis)]));
  // c[slice] = <a, b> / <b, b>, taken over each slice; returns c b.
  const auto projected = [&](const Values& a, const Values& b) {
    Values ab(slices), bb(slices), out;
    for (std::size_t i = 0; i < a.size(); ++i) {
      ab[slice[i]] += a[i] * b[i];
      bb[slice[i]] += b[i] * b[i];
    }
    for (std::size_t i = 0; i < a.size(); ++i)
      out.push_back(bb[slice[i]] == 0 ? 0 : ab[slice[i]] / bb[slice[i]] * b[i]);
    return out;
  };
  Values fit(target.size());
  for (std::size_t k = 0; k < basis.size(); ++k) {
    for (std::size_t before = 0; before < k; ++before) {
      const Values part = projected(basis[k], basis[before]);
      for (std::size_t i = 0; i < part.size(); ++i) basis[k][i] -= part[i];
    }
    const Values part = projected(target, basis[k]);
    for (std::size_t i = 0; i < part.size(); ++i) fit[i] += part[i];
  }
  return fit;
}

// The indices of an axis at which something is wrong.
std::set<std::int64_t> wrong_indices(const GradcheckEvidence& e, int axis) {
  std::set<std::int64_t> wrong;
  for (std::size_t i = 0; i < e.size(); ++i)
    if (e.wrong[i]) wrong.insert(index_of(e.at[i], e.x_shape)[static_cast<std::size_t>(axis)]);
  return wrong;
}

double distance(const Values& a, const Values& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum);
}

Values errors_of(const GradcheckEvidence& e) {
  Values error;
  for (std::size_t i = 0; i < e.size(); ++i) error.push_back(e.analytic[i] - e.numeric[i]);
  return error;
}

}  // namespace

// a = n + c: everywhere, or at one index of an axis.
GradcheckGuesses guess_offset(const GradcheckEvidence& e) {
  GradcheckGuesses guesses;
  // Without its mean term a normalization by channel is off by one number a channel, too.
  const bool one_channel = e.same_shape() && e.x_shape.rank() >= 2 && e.x_shape[1] == 1;
  const auto guess = [&](const std::string& where, auto holds) {
    double sum = 0;
    std::size_t count = 0;
    for (std::size_t i = 0; i < e.size(); ++i)
      if (holds(i)) sum += e.analytic[i] - e.numeric[i], ++count;
    if (count < 2) return;
    const double c = sum / static_cast<double>(count);
    GradcheckGuess g{
        "offset",
        fmt::format("your gradient is the numeric one {} {:.6g} {}: a constant is added",
                    c < 0 ? "-" : "+", std::abs(c), where),
        e.numeric, 1};
    for (std::size_t i = 0; i < e.size(); ++i)
      if (holds(i)) g.predicted[i] += c;
    guesses.push_back(std::move(g));
  };
  if (!one_channel || e.pointwise()) guess("everywhere", [](std::size_t) { return true; });
  for (int axis = 0; axis < e.x_shape.rank() && e.x_shape.rank() >= 2; ++axis) {
    const std::set<std::int64_t> wrong = wrong_indices(e, axis);
    if (wrong.size() != 1 || e.x_shape[axis] < 2) continue;
    guess(fmt::format("at index {} of axis {}, and right elsewhere", *wrong.begin(), axis),
          [&](std::size_t i) {
            return index_of(e.at[i], e.x_shape)[static_cast<std::size_t>(axis)] == *wrong.begin();
          });
  }
  return guesses;
}

// Normalization by statistics of a channel, x^ = (x - mean) / deviation:
//     dx = w / deviation (dy - mean of dy - x^ mean of dy x^)
GradcheckGuesses guess_channel(const GradcheckEvidence& e) {
  GradcheckGuesses guesses;
  const auto guess = [&](const char* mistake, std::string text, int axis, const Values& target,
                         const std::vector<Values>& basis, const Values& offset) {
    Values fit = fit_slices(e, axis, target, basis);
    if (fit.empty()) return;
    for (std::size_t i = 0; i < fit.size(); ++i) fit[i] += offset[i];
    // A number for each slice and basis; where nothing is wrong, none was needed.
    const std::size_t fitted = wrong_indices(e, axis).size() * basis.size();
    guesses.push_back({mistake, std::move(text), std::move(fit), fitted});
  };
  const Values none(e.size()), ones(e.size(), 1);
  if (e.same_shape() && e.x_shape.rank() >= 2 && !e.pointwise()) {  // else there are no statistics
    const Values error = errors_of(e);
    const Values x = e.at_own_place([](double xi, double, double) { return xi; });
    const Values y = e.at_own_place([](double, double yi, double) { return yi; });
    const Values v = e.at_own_place([](double, double, double vi) { return vi; });
    // If the numeric gradient itself is nearly dy times one factor, this proves nothing.
    const Values also = fit_slices(e, 1, e.numeric, {v});
    const bool telling =
        !also.empty() && distance(e.numeric, also) > 0.1 * distance(e.analytic, e.numeric);
    if (telling)
      guess(
          "statistics",
          "your gradient is dy times one factor a channel: the statistics were held constant, and "
          "the terms of mean and variance are missing",
          1, e.analytic, {v}, none);
    guess("mean term",
          "the error is the same number all over a channel: the term of the mean is missing", 1,
          error, {ones}, e.numeric);
    guess("variance term",
          "the error is linear in x in each channel: the term of the variance is missing", 1, error,
          {ones, x}, e.numeric);
    if (e.x_shape.rank() == 2)
      guess(
          "second term",
          "the error is y times one number a row: the sum over the row, in y (dy - sum), is wrong",
          0, error, {y}, e.numeric);
  }
  for (int axis = 0; axis < e.x_shape.rank() && e.x_shape.rank() >= 2; ++axis)
    if (wrong_indices(e, axis).size() > 1)
      guess("factor by channel",
            fmt::format("your gradient is the numeric one times a factor that depends on the index "
                        "of axis {} "
                        "alone: a factor is missing or extra",
                        axis),
            axis, e.analytic, {e.numeric}, none);
  return guesses;
}

}  // namespace limulus

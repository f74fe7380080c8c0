// Mistakes in what is the same all over a channel: normalization by statistics, a factor.
#include <fmt/core.h>

#include <set>

#include "core/gradcheck_compare.h"
#include "core/gradcheck_diagnosis.h"

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

}  // namespace

// Normalization by statistics of a channel, x^ = (x - mean) / deviation:
//     dx = w / deviation (dy - mean of dy - x^ mean of dy x^)
GradcheckGuesses guess_channel(const GradcheckEvidence& e) {
  GradcheckGuesses guesses;
  const auto guess = [&](const char* mistake, std::string text, Values fit, const Values& offset) {
    if (fit.empty()) return;
    for (std::size_t i = 0; i < fit.size(); ++i) fit[i] += offset[i];
    guesses.push_back({mistake, std::move(text), std::move(fit)});
  };
  const Values none(e.size()), ones(e.size(), 1);
  if (e.same_shape() && e.x_shape.rank() >= 2) {
    Values error;
    for (std::size_t i = 0; i < e.size(); ++i) error.push_back(e.analytic[i] - e.numeric[i]);
    const Values x = e.at_own_place([](double xi, double, double) { return xi; });
    const Values y = e.at_own_place([](double, double yi, double) { return yi; });
    const Values v = e.at_own_place([](double, double, double vi) { return vi; });
    guess("statistics",
          "analytic is dy times one factor a channel: the statistics were held constant, and the "
          "terms of mean and variance are missing",
          fit_slices(e, 1, e.analytic, {v}), none);
    guess("mean term",
          "the error is the same number all over a channel: the term of the mean is missing",
          fit_slices(e, 1, error, {ones}), e.numeric);
    guess("variance term",
          "the error is linear in x in each channel: the term of the variance is missing",
          fit_slices(e, 1, error, {ones, x}), e.numeric);
    if (e.x_shape.rank() == 2)
      guess(
          "second term",
          "the error is y times one number a row: the sum over the row, in y (dy - sum), is wrong",
          fit_slices(e, 0, error, {y}), e.numeric);
  }
  const auto slices_wrong = [&](int axis) {
    std::set<std::int64_t> wrong;
    for (std::size_t i = 0; i < e.size(); ++i)
      if (e.wrong[i]) wrong.insert(index_of(e.at[i], e.x_shape)[static_cast<std::size_t>(axis)]);
    return wrong.size();
  };
  for (int axis = 0; axis < e.x_shape.rank() && e.x_shape.rank() >= 2; ++axis)
    if (slices_wrong(axis) > 1)
      guess("factor by channel",
            fmt::format("analytic is numeric times a factor that depends on the index of axis {} "
                        "alone: a factor is missing or extra",
                        axis),
            fit_slices(e, axis, e.analytic, {e.numeric}), none);
  return guesses;
}

}  // namespace limulus

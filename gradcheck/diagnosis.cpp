#include "gradcheck/diagnosis.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace limulus {

using Values = std::vector<double>;

bool close(double a, double b) { return std::abs(a - b) <= 1e-5 * std::abs(b); }

bool plain(double c) {
  for (int q = 1; q <= 16; ++q)
    if (const double p = std::round(c * q); p != 0 && close(p / q, c)) return true;
  return close(std::round(1 / c), 1 / c);
}

std::string written(double c) {
  std::string out = fmt::format("{:.6g}", c + 0.0);  // 0, not -0
  if (close(std::round(c * 1000) / 1000, c)) return out;
  for (int q = 1; q <= 99; ++q)
    if (const double p = std::round(c * q); p != 0 && std::abs(p) <= 99 && close(p / q, c))
      return fmt::format("{} ({:.0f}/{})", out, p, q);
  return close(std::round(1 / c), 1 / c) ? fmt::format("{} (1/{:.0f})", out, 1 / c) : out;
}

namespace {

// 1/(1 - p), when the result looks like that of dropout: each y is 0 or the same multiple of its x.
std::optional<double> dropout_scale(const GradcheckEvidence& e) {
  if (e.x_shape != e.y_shape) return std::nullopt;
  std::optional<double> scale;
  bool zero = false;
  for (std::size_t i = 0; i < e.y.size(); ++i) {
    if (e.y[i] == 0) zero = true;
    if (e.y[i] == 0 || e.x[i] == 0) continue;
    if (scale && !close(e.y[i] / e.x[i], *scale)) return std::nullopt;
    scale = e.y[i] / e.x[i];
  }
  return zero && scale && *scale > 1 ? scale : std::nullopt;
}

// Names the factor c, if it is not a sign.
GradcheckGuess name_factor(const GradcheckEvidence& e, double c) {
  const std::string begin =
      fmt::format("your gradient is {} x the numeric one everywhere", written(c));
  if (const auto scale = dropout_scale(e)) {
    const double p = 1 - 1 / *scale;
    if (close(c, 1 / *scale))
      return {"dropout scale",
              fmt::format("{}: the scale 1/(1 - p) of dropout is missing, p = {:.4g}", begin, p)};
    if (close(c, *scale))
      return {
          "dropout scale",
          fmt::format("{}: the scale 1/(1 - p) of dropout is there twice, p = {:.4g}", begin, p)};
  }
  if (e.y.size() == 1 && e.x_shape.rank() > 0) {  // a loss
    const auto rows = static_cast<double>(e.x_shape[0]), all = static_cast<double>(e.x.size());
    for (const auto& [n, what] : {std::pair{rows, "rows"}, std::pair{all, "elements"}}) {
      if (n == 1) continue;
      if (close(c, n))
        return {"1/N", fmt::format("{}: 1/N is missing, N = {:.0f} {}", begin, n, what)};
      if (close(c, 1 / n))
        return {"1/N", fmt::format("{}: 1/N is there twice, N = {:.0f} {}", begin, n, what)};
    }
  }
  return {"factor", begin + ": a factor is missing or extra"};
}

}  // namespace

// a = c n, with the c that fits best: c = sum of a n / sum of n^2.
GradcheckGuesses guess_factor(const GradcheckEvidence& e) {
  double an = 0, nn = 0;
  std::size_t seen = 0;
  for (std::size_t i = 0; i < e.size(); ++i) {
    an += e.analytic[i] * e.numeric[i];
    nn += e.numeric[i] * e.numeric[i];
    seen += e.numeric[i] != 0;
  }
  if (seen < 2 || nn == 0) return {};
  const double c = an / nn;
  // If all slopes are the same, the mistake may be a factor or an offset: take the one that
  // somebody would write.
  const bool flat = std::all_of(e.numeric.begin(), e.numeric.end(),
                                [&](double n) { return close(n, e.numeric[0]); });
  if (flat && !plain(c) && plain(1000 * (c - 1) * e.numeric[0])) return {};
  GradcheckGuess guess =
      close(c, -1) ? GradcheckGuess{"sign",
                                    "your gradient is -1 x the numeric one everywhere: a sign "
                                    "is wrong"}
                   : name_factor(e, c);
  for (const double n : e.numeric) guess.predicted.push_back(c * n);
  guess.fitted = 1;
  guess.factor = c;
  const double left = unexplained(e, guess.predicted);
  guess.text += fmt::format(" (fitted to {} entries, {:.0e} of the error left)", e.size(), left);
  return {guess};
}

double unexplained(const GradcheckEvidence& e, const Values& predicted) {
  double left = 0, error = 0;
  std::size_t wrong = 0, explained = 0;
  for (std::size_t i = 0; i < e.size(); ++i) {
    wrong += e.wrong[i];
    if (std::isnan(predicted[i])) continue;
    explained += e.wrong[i];
    left += (e.analytic[i] - predicted[i]) * (e.analytic[i] - predicted[i]);
    error += (e.analytic[i] - e.numeric[i]) * (e.analytic[i] - e.numeric[i]);
  }
  const bool enough = explained >= 2 || (wrong == 1 && explained == 1);
  return error > 0 && enough && 4 * explained >= wrong ? std::sqrt(left / error) : 1;
}

GradcheckDiagnosis diagnose(const GradcheckEvidence& e) {
  const bool zero =
      std::all_of(e.analytic.begin(), e.analytic.end(), [](double a) { return a == 0; });
  if (zero) return {"zero", "your gradient is zero everywhere: this gradient was not computed"};
  constexpr GradcheckExpert experts[] = {guess_factor,    guess_offset, guess_group,
                                         guess_pointwise, guess_terms,  guess_layout,
                                         guess_channel,   guess_sums,   guess_windows};
  const std::size_t wrong = e.count_wrong();
  for (const GradcheckExpert expert : experts)
    for (const GradcheckGuess& guess : expert(e))
      if (wrong > guess.fitted && unexplained(e, guess.predicted) < (wrong == 1 ? 1e-6 : 1e-3))
        return {guess.mistake, guess.text, guess.factor};
  return locate(e);
}

}  // namespace limulus

#pragma once
// What random numbers must be like. Each bound is six standard errors of a right solution's value,
// which a normal distribution exceeds twice in a thousand million draws: with the few hundred
// checks of all tests together, less than once in a million.
#include <cmath>

#include "judge.h"

namespace course {

inline constexpr double kErrors = 6;

// Where a value has to be: `expected`, and its standard error with this many draws.
struct Range {
  double expected, error;
};

// `origin`: the standard error's arithmetic.
inline void within(const std::string& what, const Range& range, double got,
                   const std::string& origin) {
  const double bound = kErrors * range.error;
  if (std::abs(got - range.expected) <= bound) return;  // NaN is not
  throw Wrong(what + ": got " + written(got) + ", expected " + written(range.expected) + " +- " +
              written(bound) + " (six standard errors of " + origin + " = " + written(range.error) +
              ")");
}

struct Moments {
  double mean = 0, deviation = 0;
};
inline Moments moments(const Doubles& values) {
  Moments m;
  const double n = static_cast<double>(values.size());
  for (const double v : values) m.mean += v / n;
  for (const double v : values) m.deviation += (v - m.mean) * (v - m.mean) / n;
  m.deviation = std::sqrt(m.deviation);
  return m;
}

// Of two sequences of the same length; its standard error is 1/sqrt(n) where they are independent.
inline double correlation(const Doubles& a, const Doubles& b) {
  const Moments of_a = moments(a), of_b = moments(b);
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - of_a.mean) * (b[i] - of_b.mean);
  return sum / static_cast<double>(a.size()) / (of_a.deviation * of_b.deviation);
}
inline void independent(const std::string& what, const Doubles& a, const Doubles& b) {
  within("the correlation of " + what, {0, 1 / std::sqrt(static_cast<double>(a.size()))},
         correlation(a, b), "1/sqrt(" + std::to_string(a.size()) + ")");
}

// Parts of all cases (judge.cpp).
std::vector<Case> picture_cases();
std::vector<Case> network_cases();

}  // namespace course

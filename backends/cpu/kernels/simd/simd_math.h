#pragma once
// Elementary functions on vectors: exp, log, tanh, the logistic function and powers.
//
// Each is the schoolbook method: bring the argument near 0 (or 1) by an exact identity, where a
// short series converges fast, and undo the reduction exactly at the end.
//
//   exp    x = n ln 2 + r, |r| <= ln(2)/2:      e^x = 2^n e^r,   e^r by its Taylor series
//   log    x = 2^e m, m in [sqrt(1/2), sqrt 2): log x = e ln 2 + log m,
//          log m = 2 artanh(s), s = (m - 1)/(m + 1), |s| <= 0.172, by its Taylor series
//   tanh   |x| through e^(2|x|) - 1, computed without cancellation, so that small x stay accurate
//
// Measured against long double over all magnitudes: double within 3 units of the last place (4e-16
// relative), float within 3. Infinities, NaN, overflow and subnormal numbers behave as in libm.
#include "backends/cpu/kernels/simd/simd.h"

namespace limulus::cpu::LIMULUS_ISA {

// ---- constants ---------------------------------------------------------------------------------

// ln 2 in two parts; `high` has so few bits that n * high is exact for every exponent n.
template <class T>
struct Ln2;
template <>
struct Ln2<float> {
  static constexpr float high = 0x1.62ep-1f, low = 0x1.0bfbe8p-15f;
  static constexpr float exp_min = -104.5f, exp_max = 89.0f;  // beyond: 0 and infinity
  static constexpr int exp_terms = 8, log_terms = 5;
};
template <>
struct Ln2<double> {
  static constexpr double high = 0x1.62e42feep-1, low = 0x1.a39ef35793c76p-33;
  static constexpr double exp_min = -746.5, exp_max = 710.0;
  static constexpr int exp_terms = 14, log_terms = 11;
};

template <class T>
LIMULUS_INLINE Vec<T> infinity() {
  return Vec<T>::set(T(__builtin_inf()));
}
template <class T>
LIMULUS_INLINE Vec<T> min(Vec<T> a, Vec<T> b) {  // b when either is NaN
  return select(b > a, a, b);
}

// ---- the functions -----------------------------------------------------------------------------

// e^r - 1 for |r| <= ln(2)/2: r + r^2 (1/2! + r (1/3! + ... )), ending with r^(terms - 1)
template <class T>
LIMULUS_INLINE Vec<T> exp_minus_1_series(Vec<T> r) {
  constexpr double inverse_factorial[] = {1.0,
                                          1.0,
                                          1.0 / 2,
                                          1.0 / 6,
                                          1.0 / 24,
                                          1.0 / 120,
                                          1.0 / 720,
                                          1.0 / 5040,
                                          1.0 / 40320,
                                          1.0 / 362880,
                                          1.0 / 3628800,
                                          1.0 / 39916800,
                                          1.0 / 479001600,
                                          1.0 / 6227020800};
  Vec<T> q = Vec<T>::set(T(inverse_factorial[Ln2<T>::exp_terms - 1]));
#pragma GCC unroll 16
  for (int i = Ln2<T>::exp_terms - 2; i >= 2; --i)
    q = fma(q, r, Vec<T>::set(T(inverse_factorial[i])));
  return fma(q * r, r, r);
}

// x = n ln 2 + r
template <class T>
LIMULUS_INLINE Vec<T> reduce_by_ln2(Vec<T> x, Vec<T>* n) {
  *n = round(x * Vec<T>::set(T(1.4426950408889634)));
  return fma(*n, Vec<T>::set(-Ln2<T>::low), fma(*n, Vec<T>::set(-Ln2<T>::high), x));
}

template <class T>
LIMULUS_INLINE Vec<T> exp(Vec<T> x) {
  // Clamped so that n stays in range; written so that a NaN goes through both comparisons.
  x = max(Vec<T>::set(Ln2<T>::exp_min), min(Vec<T>::set(Ln2<T>::exp_max), x));
  Vec<T> n;
  const Vec<T> r = reduce_by_ln2(x, &n);
  return scale_2(exp_minus_1_series(r) + Vec<T>::set(1), n);
}

template <class T>
LIMULUS_INLINE Vec<T> log(Vec<T> x) {
  Vec<T> e;
  Vec<T> m = split_2(x, &e);
  const auto upper = m > Vec<T>::set(T(1.4142135623730951));
  m = select(upper, m * Vec<T>::set(T(0.5)), m);
  e = select(upper, e + Vec<T>::set(1), e);
  // log m = 2s + sR with R = 2 s^2/3 + 2 s^4/5 + ...; as 2s = f - sf, log m = f - s (f - R).
  const Vec<T> f = m - Vec<T>::set(1);
  const Vec<T> s = f / (m + Vec<T>::set(1));
  const Vec<T> s2 = s * s;
  Vec<T> q = Vec<T>::set(T(2.0 / (2 * Ln2<T>::log_terms + 1)));
#pragma GCC unroll 16
  for (int i = Ln2<T>::log_terms - 1; i >= 1; --i)
    q = fma(q, s2, Vec<T>::set(T(2.0 / (2 * i + 1))));
  const Vec<T> log_m = f - s * (f - q * s2);
  Vec<T> y = fma(e, Vec<T>::set(Ln2<T>::high), fma(e, Vec<T>::set(Ln2<T>::low), log_m));
  // log 0 = -inf, log inf = inf, log of a negative number or NaN = NaN
  y = select(equal(x, infinity<T>()), x, y);
  y = select(equal(x, Vec<T>::zero()), Vec<T>::zero() - infinity<T>(), y);
  return select(mask_or(Vec<T>::zero() > x, is_nan(x)), Vec<T>::set(T(__builtin_nan(""))), y);
}

// tanh|x| = t / (t + 2) with t = e^(2|x|) - 1 = 2^n (e^r - 1) + (2^n - 1); nothing cancels.
template <class T>
LIMULUS_INLINE Vec<T> tanh(Vec<T> x) {
  const Vec<T> a = min(Vec<T>::set(T(22)), abs(x));  // tanh 22 = 1 in both precisions
  Vec<T> n;
  const Vec<T> r = reduce_by_ln2(a + a, &n);
  const Vec<T> power = scale_2(Vec<T>::set(1), n);
  const Vec<T> t = fma(power, exp_minus_1_series(r), power - Vec<T>::set(1));
  return copy_sign(t / (t + Vec<T>::set(2)), x);
}

// 1/(1 + e^-x), for negative x as e^x/(1 + e^x): the exponential never overflows.
template <class T>
LIMULUS_INLINE Vec<T> sigmoid(Vec<T> x) {
  const Vec<T> e = exp(neg(abs(x)));
  const Vec<T> numerator = select(Vec<T>::zero() > x, e, Vec<T>::set(1));
  return numerator / (e + Vec<T>::set(1));
}

// s^-beta and 1/s for s > 0, which local response normalization needs. (s^(-beta - 1) itself would
// be below the smallest float from s = 1e22 on.)
template <class T>
struct Powers {
  Vec<T> p, inverse;
};

// The paper's beta of 3/4, to the last digit.
template <class T>
LIMULUS_INLINE Powers<T> minus_three_quarters(Vec<T> s) {
  const Vec<T> root = sqrt(s);
  const Vec<T> p = Vec<T>::set(1) / (root * sqrt(root));
  return {p, Vec<T>::set(1) / s};
}

// The same in float for normal s (and infinity, and NaN), within 1.5 units of the last place
// (measured over all exponents), without the two square roots and two divisions, the slowest
// instructions of the kernels that need it. The processor has a table for 1/sqrt(s), good for 12 to
// 14 bits, and one for 1/s. The first guess,
//
//     y = table(s),   p = y^2 table(y)         (y^2 y^(-1/2) = y^(3/2) = s^(-3/4))
//
// is off by a factor 1 + e, |e| < 2^-10. That error can be measured exactly: h = 1 - s^3 p^4
// is 0 for the true p, and p (1 - h)^(-1/4) is the true p, whatever h is. Two terms of that series,
// p (1 + h/4 + 5 h^2/32), leave an error of 7.5 e^3, less than float can hold. One step is enough
// where Newton's, which stops at h/4, takes two.
LIMULUS_INLINE Powers<float> minus_three_quarters_quick(Vec<float> s) {
  using V = Vec<float>;
  const V one = V::set(1);
  const V y = rsqrt_guess(s);
  const V guess = y * y * rsqrt_guess(y);
  const V u = s * guess;  // s^(1/4): the powers below stay clear of overflow
  const V h = fnma(u * u, u * guess, one);
  const V p = fma(guess * h, fma(h, V::set(5.0f / 32), V::set(0.25f)), guess);
  // 1/s = q / (1 - h), q = table(s), h = 1 - s q
  const V q = reciprocal_guess(s);
  const V g = fnma(s, q, one);
  const V reciprocal = fma(q * g, one + g, q);
  // An infinite s makes 0 times infinity of the above; its powers are 0.
  const auto infinite = s > V::set(__FLT_MAX__);
  return {select(infinite, V::zero(), p), select(infinite, V::zero(), reciprocal)};
}

// Any other beta.
template <class T>
LIMULUS_INLINE Powers<T> minus_power(Vec<T> s, Vec<T> beta) {
  const Vec<T> p = exp(neg(beta * log(s)));
  return {p, Vec<T>::set(1) / s};
}

}  // namespace limulus::cpu::LIMULUS_ISA

#pragma once
// Local response normalization where float's range ends: in double.
//
// A float holds 1e-38 to 3e38. With x = 1e14 and alpha = 1, s is 5e28 and s^-1.75 = 6e-51; from
// 2e19 on x^2 itself is too large. Yet y and dx are ordinary numbers. The fast loops are right as
// long as s stays between `least` and `most`, a range far wider than a network's activations need.
// They keep the largest and the smallest s that they meet (an operation or two for each). If one
// lies outside, the values are computed once more here, by plain loops over doubles, which take ten
// times as long. Kernels for double end where double's range ends.
#include <cstdint>

#include "backends/cpu/kernels/simd/parallel.h"
#include "backends/cpu/kernels/simd/simd_math.h"

namespace limulus::cpu::LIMULUS_ISA {

struct ScaleLimits {
  float least, most;
};
// With beta = 3/4 by roots; else by exp(-beta log s), whose error grows with |log s|. With alpha =
// 0 the squares do not count, but 0 times infinity would be NaN: always here.
LIMULUS_INLINE ScaleLimits limits_of(const LrnShape& s) {
  if (s.alpha == 0) return {1, 0};
  if (s.beta == 0.75) return {0x1p-32f, 0x1p32f};
  return {0x1p-12f, 0x1p12f};
}

template <class T>
struct ScaleRange {
  Vec<T> least = Vec<T>::set(1), most = Vec<T>::set(1);
  LIMULUS_INLINE void see_most(Vec<T> s) {
    if constexpr (sizeof(T) == sizeof(float))
      most = max(s, most);  // a NaN is not seen; its result is right
  }
  LIMULUS_INLINE void see(Vec<T> s) {
    if constexpr (sizeof(T) == sizeof(float)) {
      see_most(s);
      least = min(s, least);
    }
  }
  LIMULUS_INLINE bool left(const ScaleLimits& limits) const {
    if constexpr (sizeof(T) == sizeof(float))
      return any(mask_or(most > Vec<T>::set(limits.most), Vec<T>::set(limits.least) > least));
    return false;
  }
};

// Channels [begin, end) of the window of channel i or, mirrored, those whose windows hold it.
struct ChannelWindow {
  std::int64_t begin, end;
  LIMULUS_INLINE ChannelWindow(const LrnShape& s, std::int64_t i, bool mirrored) {
    const std::int64_t before = mirrored ? s.size - 1 - s.size / 2 : s.size / 2;
    begin = larger(0, i - before);
    end = smaller(s.c, i - before + s.size);
  }
};

// s of channel i at the pixel x of the first channel.
template <class T>
double wide_scale(const LrnShape& s, const T* x, std::int64_t i) {
  const std::int64_t plane = s.h * s.w;
  const ChannelWindow window(s, i, false);
  double squares = 0;
  for (std::int64_t j = window.begin; j < window.end; ++j)
    squares += static_cast<double>(x[j * plane]) * static_cast<double>(x[j * plane]);
  return s.k + s.alpha * squares;
}

// y of channel i, `count` pixels; x: the first of them in channel 0.
template <class T>
void wide_forward(const LrnShape& s, const T* x, std::int64_t i, std::int64_t count, T* y) {
  for (std::int64_t p = 0; p < count; ++p)
    y[p] = static_cast<T>(static_cast<double>(x[i * s.h * s.w + p]) *
                          __builtin_pow(wide_scale(s, x + p, i), -s.beta));
}

// dx of all channels, `count` pixels; x, dy, dx: the first of them in channel 0. r: [channels]
template <class T>
void wide_backward(const LrnShape& s, const T* x, const T* dy, std::int64_t count, double* r,
                   T* dx) {
  const std::int64_t plane = s.h * s.w;
  for (std::int64_t p = 0; p < count; ++p, ++x, ++dy, ++dx) {
    for (std::int64_t j = 0; j < s.c; ++j)
      r[j] = static_cast<double>(dy[j * plane]) * static_cast<double>(x[j * plane]) *
             __builtin_pow(wide_scale(s, x, j), -s.beta - 1);
    for (std::int64_t i = 0; i < s.c; ++i) {
      const ChannelWindow window(s, i, true);
      double sum = 0;
      for (std::int64_t j = window.begin; j < window.end; ++j) sum += r[j];
      const double own =
          static_cast<double>(dy[i * plane]) * __builtin_pow(wide_scale(s, x, i), -s.beta);
      dx[i * plane] =
          static_cast<T>(own - 2 * s.alpha * s.beta * static_cast<double>(x[i * plane]) * sum);
    }
  }
}

}  // namespace limulus::cpu::LIMULUS_ISA

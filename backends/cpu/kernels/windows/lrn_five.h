#pragma once
// Local response normalization across five channels with beta = 3/4, as in the paper: the inner
// loops of lrn_across.cpp and lrn_max_pool.cpp. Formulas and names are those of lrn_across.cpp.
//
// Four channels at a time. Their windows hold eight channels together, so that a register of pixels
// needs 8 loads and 8 squares for 4 results instead of 20, and the sums share their parts: with q_t
// the square in channel i - 2 + t,
//
//     channel   i         q0 + (q1 + q2 + (q3 + q4))
//               i + 1          (q1 + q2 + (q3 + q4)) + q5        9 additions
//               i + 2                q2 + ((q3 + q4) + q5 + q6)         instead of 16
//               i + 3                     ((q3 + q4) + q5 + q6) + q7
//
// Measured (batch 32, one core of an AMD EPYC, Zen 5, AVX-512): conv1's output (96 x 55 x 55) takes
// 2.2 ms forward and 3.8 ms backward, 33 and 30 GB/s; one channel at a time, with the exact roots,
// it took 3.1 and 6.7 ms. With all data in the caches, forward needs 11 cycles a register: it waits
// for arithmetic as much as for memory.
//
// Groups begin at even channels, so that a channel's sum has the same order wherever it is taken.
// Channels beyond the first and the last are rows of zeros.
#include "backends/cpu/kernels/simd/parallel.h"
#include "backends/cpu/kernels/simd/simd_math.h"
#include "backends/cpu/kernels/windows/lrn_wide.h"

namespace limulus::cpu::LIMULUS_ISA {

// Whether paper_powers can be used: s = 0 (k = 0) and tiny s are left to the general loops.
LIMULUS_INLINE bool has_paper_powers(const LrnShape& s) {
  return s.beta == 0.75 && s.alpha > 0 && s.k >= 0x1p-32;
}
// Whether these loops can be used.
LIMULUS_INLINE bool is_paper_lrn(const LrnShape& s) { return s.size == 5 && has_paper_powers(s); }

// Gradient checks in double want all digits.
LIMULUS_INLINE Powers<float> paper_powers(Vec<float> s) { return minus_three_quarters_quick(s); }
LIMULUS_INLINE Powers<double> paper_powers(Vec<double> s) { return minus_three_quarters(s); }

template <class T>
struct LrnFactors {
  Vec<T> alpha, k, minus_2_alpha_beta;
  LIMULUS_INLINE explicit LrnFactors(const LrnShape& s)
      : alpha(Vec<T>::set(static_cast<T>(s.alpha))),
        k(Vec<T>::set(static_cast<T>(s.k))),
        minus_2_alpha_beta(Vec<T>::set(static_cast<T>(-2 * s.alpha * s.beta))) {}
};

// Some neighbouring channels' pixels: channel t begins at first + t * plane.
template <class T>
struct Channels {
  const T* first;
  std::int64_t plane;
  template <class At>
  LIMULUS_INLINE Vec<T> load(At at, int t) const {
    return at.load(first + t * plane);
  }
  // The next group reads this one's last four channels again, and four new ones, which are fetched
  // into the cache meanwhile. Rows are too short for the processor to see that coming; without
  // this, the loop takes a third longer.
  template <class At>
  LIMULUS_INLINE void prefetch(At at, int t) const {
    __builtin_prefetch(first + t * plane + at.i);
  }
};

// The same where some channels do not exist.
template <class T>
struct EdgeChannels {
  const T* row[8];
  // Channels begin .. begin + 7 of `channels`; `first` is where channel `begin` would be.
  LIMULUS_INLINE EdgeChannels(const T* first, std::int64_t plane, std::int64_t begin,
                              std::int64_t channels, const T* zeros) {
    for (int t = 0; t < 8; ++t)
      row[t] = begin + t >= 0 && begin + t < channels ? first + t * plane : zeros;
  }
  template <class At>
  LIMULUS_INLINE Vec<T> load(At at, int t) const {
    return at.load(row[t]);
  }
  template <class At>
  LIMULUS_INLINE void prefetch(At, int) const {}
};

// s of the four channels in the middle. `range` sees s[0] + s[3], which holds all eight squares: no
// s is larger.
template <class T, class Rows, class At>
LIMULUS_INLINE void four_scales(const Rows& x, At at, const LrnFactors<T>& f, Vec<T>* s,
                                ScaleRange<T>& range) {
  Vec<T> q[8];
#pragma GCC unroll 8
  for (int t = 0; t < 8; ++t) {
    const Vec<T> v = x.load(at, t);
    q[t] = v * v;
  }
  const Vec<T> middle = q[3] + q[4], left = q[1] + q[2] + middle, right = middle + (q[5] + q[6]);
  s[0] = fma(f.alpha, q[0] + left, f.k);
  s[1] = fma(f.alpha, left + q[5], f.k);
  s[2] = fma(f.alpha, q[2] + right, f.k);
  s[3] = fma(f.alpha, right + q[7], f.k);
  range.see_most(s[0] + s[3]);
}

// y of four channels, `count` pixels; x holds the two channels before them and the two behind.
template <class T, class Rows>
LIMULUS_INLINE void normalize_four(Rows x, std::int64_t count, LrnFactors<T> f,
                                   ScaleRange<T>& range, T* y0, T* y1, T* y2, T* y3) {
  for_lanes<T>(0, count, [=, &range](auto at) {
    Vec<T> s[4];
    four_scales(x, at, f, s, range);
    at.store(y0, x.load(at, 2) * paper_powers(s[0]).p);
    at.store(y1, x.load(at, 3) * paper_powers(s[1]).p);
    at.store(y2, x.load(at, 4) * paper_powers(s[2]).p);
    at.store(y3, x.load(at, 5) * paper_powers(s[3]).p);
#pragma GCC unroll 4
    for (int t = 8; t < 12; ++t) x.prefetch(at, t);
  });
}

// The four channels from i on, of an image x [channels, plane], pixels begin .. begin + count - 1,
// into y[0 .. 3]. For channels that the image does not have, y gets values that nobody reads.
template <class T>
LIMULUS_INLINE void normalize_group(const LrnShape& shape, const T* x, std::int64_t i,
                                    std::int64_t begin, std::int64_t count, const LrnFactors<T>& f,
                                    const T* zeros, T* const* y) {
  const std::int64_t plane = shape.h * shape.w, channels = shape.c;
  ScaleRange<T> range;
  const T* first = x + (i - 2) * plane + begin;
  if (i >= 2 && i + 10 <= channels)
    normalize_four(Channels<T>{first, plane}, count, f, range, y[0], y[1], y[2], y[3]);
  else
    normalize_four(EdgeChannels<T>(first, plane, i - 2, channels, zeros), count, f, range, y[0],
                   y[1], y[2], y[3]);
  if (range.left(limits_of(shape)))
    for (std::int64_t t = 0; t < smaller(4, channels - i); ++t)
      wide_forward(shape, x + begin, i + t, count, y[t]);
}

// What backward carries from one group to the next, for the pixels of one block: r of the group's
// first four channels, and dy s^-beta of the first two.
template <class T>
struct Carried {
  T *r, *q;  // [4, row], [2, row]
  std::int64_t row;
};

// dx of the channels i .. i + 3. x holds the channels i .. i + 7, dy i + 2 .. i + 5: those
// channels' r and dy s^-beta are new here, and the ones before are carried over.
template <class T, class Rows, class DyRows>
LIMULUS_INLINE void gradient_of_four(Rows x, DyRows dy, std::int64_t count, LrnFactors<T> f,
                                     Carried<T> c, ScaleRange<T>& range, T* dx0, T* dx1, T* dx2,
                                     T* dx3) {
  T *r0 = c.r, *r1 = r0 + c.row, *r2 = r1 + c.row, *r3 = r2 + c.row;
  T *q0 = c.q, *q1 = q0 + c.row;
  for_lanes<T>(0, count, [=, &range](auto at) {
    Vec<T> s[4], q[4], r[8];
    four_scales(x, at, f, s, range);
#pragma GCC unroll 4
    for (int t = 0; t < 4; ++t) {
      const Powers<T> powers = paper_powers(s[t]);
      q[t] = dy.load(at, t) * powers.p;
      r[4 + t] = f.minus_2_alpha_beta * q[t] * (x.load(at, 2 + t) * powers.inverse);
    }
    r[0] = at.load(r0), r[1] = at.load(r1), r[2] = at.load(r2), r[3] = at.load(r3);
    at.store(r0, r[4]), at.store(r1, r[5]), at.store(r2, r[6]), at.store(r3, r[7]);
    const Vec<T> middle = r[3] + r[4], left = r[1] + r[2] + middle, right = middle + (r[5] + r[6]);
    at.store(dx0, fma(x.load(at, 0), r[0] + left, at.load(q0)));
    at.store(dx1, fma(x.load(at, 1), left + r[5], at.load(q1)));
    at.store(dx2, fma(x.load(at, 2), r[2] + right, q[0]));
    at.store(dx3, fma(x.load(at, 3), right + r[7], q[1]));
    at.store(q0, q[2]), at.store(q1, q[3]);
#pragma GCC unroll 4
    for (int t = 8; t < 12; ++t) x.prefetch(at, t);
#pragma GCC unroll 4
    for (int t = 4; t < 8; ++t) dy.prefetch(at, t);
  });
}

}  // namespace limulus::cpu::LIMULUS_ISA

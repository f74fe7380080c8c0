#pragma once
// ARM's NEON, as simd.h asks for it. Its registers have 128 bits, and there are 32 of them. A Vec
// is a pair: 16 pairs of 256 bits, as many as AVX2 has, so that tiles and loops that fit there fit
// here, and add in the same order. A mask is a pair of registers whose lanes are all ones or zeros.
#include <arm_neon.h>

#include "backends/cpu/kernels/simd/vec.h"

namespace limulus::cpu::LIMULUS_ISA {

constexpr int tile_rows = 6;  // of the register tile (matmul/tile.h)

template <>
struct Vec<float> {
  struct Mask {
    uint32x4_t lo, hi;
  };
  static constexpr int width = 8;
  float32x4_t lo, hi;
  static LIMULUS_INLINE Vec zero() { return set(0); }
  static LIMULUS_INLINE Vec set(float x) { return {vdupq_n_f32(x), vdupq_n_f32(x)}; }
  static LIMULUS_INLINE Vec load(const float* p) { return {vld1q_f32(p), vld1q_f32(p + 4)}; }
  LIMULUS_INLINE void store(float* p) const {
    vst1q_f32(p, lo);
    vst1q_f32(p + 4, hi);
  }
  LIMULUS_INLINE void stream(float* p) const { store(p); }  // ARM has no such store for C++
  // The first n lanes (0 <= n <= width); the others read as 0 and are not touched.
  static LIMULUS_INLINE Vec load_n(const float* p, int n) {
    float lane[width] = {};
    for (int i = 0; i < n; ++i) lane[i] = p[i];
    return load(lane);
  }
  LIMULUS_INLINE void store_n(float* p, int n) const {
    float lane[width];
    store(lane);
    for (int i = 0; i < n; ++i) p[i] = lane[i];
  }
  friend LIMULUS_INLINE Vec operator+(Vec a, Vec b) {
    return {vaddq_f32(a.lo, b.lo), vaddq_f32(a.hi, b.hi)};
  }
  friend LIMULUS_INLINE Vec operator-(Vec a, Vec b) {
    return {vsubq_f32(a.lo, b.lo), vsubq_f32(a.hi, b.hi)};
  }
  friend LIMULUS_INLINE Vec operator*(Vec a, Vec b) {
    return {vmulq_f32(a.lo, b.lo), vmulq_f32(a.hi, b.hi)};
  }
  friend LIMULUS_INLINE Vec operator/(Vec a, Vec b) {
    return {vdivq_f32(a.lo, b.lo), vdivq_f32(a.hi, b.hi)};
  }
  friend LIMULUS_INLINE Mask operator>(Vec a, Vec b) {
    return {vcgtq_f32(a.lo, b.lo), vcgtq_f32(a.hi, b.hi)};
  }
  friend LIMULUS_INLINE Mask is_nan(Vec a) {
    return {vmvnq_u32(vceqq_f32(a.lo, a.lo)), vmvnq_u32(vceqq_f32(a.hi, a.hi))};
  }
};

template <>
struct Vec<double> {
  struct Mask {
    uint64x2_t lo, hi;
  };
  static constexpr int width = 4;
  float64x2_t lo, hi;
  static LIMULUS_INLINE Vec zero() { return set(0); }
  static LIMULUS_INLINE Vec set(double x) { return {vdupq_n_f64(x), vdupq_n_f64(x)}; }
  static LIMULUS_INLINE Vec load(const double* p) { return {vld1q_f64(p), vld1q_f64(p + 2)}; }
  LIMULUS_INLINE void store(double* p) const {
    vst1q_f64(p, lo);
    vst1q_f64(p + 2, hi);
  }
  LIMULUS_INLINE void stream(double* p) const { store(p); }
  static LIMULUS_INLINE Vec load_n(const double* p, int n) {
    double lane[width] = {};
    for (int i = 0; i < n; ++i) lane[i] = p[i];
    return load(lane);
  }
  LIMULUS_INLINE void store_n(double* p, int n) const {
    double lane[width];
    store(lane);
    for (int i = 0; i < n; ++i) p[i] = lane[i];
  }
  friend LIMULUS_INLINE Vec operator+(Vec a, Vec b) {
    return {vaddq_f64(a.lo, b.lo), vaddq_f64(a.hi, b.hi)};
  }
  friend LIMULUS_INLINE Vec operator-(Vec a, Vec b) {
    return {vsubq_f64(a.lo, b.lo), vsubq_f64(a.hi, b.hi)};
  }
  friend LIMULUS_INLINE Vec operator*(Vec a, Vec b) {
    return {vmulq_f64(a.lo, b.lo), vmulq_f64(a.hi, b.hi)};
  }
  friend LIMULUS_INLINE Vec operator/(Vec a, Vec b) {
    return {vdivq_f64(a.lo, b.lo), vdivq_f64(a.hi, b.hi)};
  }
  friend LIMULUS_INLINE Mask operator>(Vec a, Vec b) {
    return {vcgtq_f64(a.lo, b.lo), vcgtq_f64(a.hi, b.hi)};
  }
  static LIMULUS_INLINE uint64x2_t inverted(uint64x2_t m) {  // NEON has this for 32 bits only
    return vreinterpretq_u64_u32(vmvnq_u32(vreinterpretq_u32_u64(m)));
  }
  friend LIMULUS_INLINE Mask is_nan(Vec a) {
    return {inverted(vceqq_f64(a.lo, a.lo)), inverted(vceqq_f64(a.hi, a.hi))};
  }
};

LIMULUS_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {  // a b + c
  return {vfmaq_f32(c.lo, a.lo, b.lo), vfmaq_f32(c.hi, a.hi, b.hi)};
}
LIMULUS_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return {vfmaq_f64(c.lo, a.lo, b.lo), vfmaq_f64(c.hi, a.hi, b.hi)};
}
LIMULUS_INLINE Vec<float> sqrt(Vec<float> a) { return {vsqrtq_f32(a.lo), vsqrtq_f32(a.hi)}; }
LIMULUS_INLINE Vec<double> sqrt(Vec<double> a) { return {vsqrtq_f64(a.lo), vsqrtq_f64(a.hi)}; }
// m ? a : b, lane by lane
LIMULUS_INLINE Vec<float> select(Vec<float>::Mask m, Vec<float> a, Vec<float> b) {
  return {vbslq_f32(m.lo, a.lo, b.lo), vbslq_f32(m.hi, a.hi, b.hi)};
}
LIMULUS_INLINE Vec<double> select(Vec<double>::Mask m, Vec<double> a, Vec<double> b) {
  return {vbslq_f64(m.lo, a.lo, b.lo), vbslq_f64(m.hi, a.hi, b.hi)};
}
LIMULUS_INLINE bool any(Vec<float>::Mask m) { return vmaxvq_u32(vorrq_u32(m.lo, m.hi)) != 0; }
LIMULUS_INLINE bool any(Vec<double>::Mask m) {
  return vmaxvq_u32(vreinterpretq_u32_u64(vorrq_u64(m.lo, m.hi))) != 0;
}

// For all the compiler knows, a is changed here.
template <class T>
LIMULUS_INLINE void touch(Vec<T>* a) {
  __asm__("" : "+w"(a->lo), "+w"(a->hi));
}

// A number of 16 bits is widened as it is loaded: bfloat16 is the upper half of a float.
LIMULUS_INLINE Vec<float> widen(const Bf16* p) {
  const uint16x8_t bits = vld1q_u16(reinterpret_cast<const std::uint16_t*>(p));
  return {vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(bits), 16)),
          vreinterpretq_f32_u32(vshll_high_n_u16(bits, 16))};
}

// ---- denormal numbers, streaming stores ---------------------------------------------------------

// Bit 24 of the control register FPCR: denormal operands and results are taken as zero.
using DenormalState = std::uint64_t;
constexpr DenormalState denormals_flushed = DenormalState{1} << 24;
LIMULUS_INLINE std::uint64_t control_register() {
  std::uint64_t fpcr;
  __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
  return fpcr;
}
LIMULUS_INLINE DenormalState denormal_state() { return control_register() & denormals_flushed; }
LIMULUS_INLINE void set_denormal_state(DenormalState wanted) {
  const std::uint64_t fpcr = (control_register() & ~denormals_flushed) | wanted;
  __asm__ volatile("msr fpcr, %0" : : "r"(fpcr));
}
LIMULUS_INLINE void stream_fence() {}
LIMULUS_INLINE void clear_upper_halves() {}  // there are none

// ---- signs, roots, exponents (simd_math.h) ------------------------------------------------------

LIMULUS_INLINE Vec<float> abs(Vec<float> a) { return {vabsq_f32(a.lo), vabsq_f32(a.hi)}; }
LIMULUS_INLINE Vec<double> abs(Vec<double> a) { return {vabsq_f64(a.lo), vabsq_f64(a.hi)}; }
LIMULUS_INLINE Vec<float> neg(Vec<float> a) { return {vnegq_f32(a.lo), vnegq_f32(a.hi)}; }
LIMULUS_INLINE Vec<double> neg(Vec<double> a) { return {vnegq_f64(a.lo), vnegq_f64(a.hi)}; }
// |a| with the sign of s
LIMULUS_INLINE Vec<float> copy_sign(Vec<float> a, Vec<float> s) {
  const uint32x4_t sign = vdupq_n_u32(0x80000000u);
  return {vbslq_f32(sign, s.lo, a.lo), vbslq_f32(sign, s.hi, a.hi)};
}
LIMULUS_INLINE Vec<double> copy_sign(Vec<double> a, Vec<double> s) {
  const uint64x2_t sign = vdupq_n_u64(std::uint64_t{1} << 63);
  return {vbslq_f64(sign, s.lo, a.lo), vbslq_f64(sign, s.hi, a.hi)};
}
// c - a b
LIMULUS_INLINE Vec<float> fnma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return {vfmsq_f32(c.lo, a.lo, b.lo), vfmsq_f32(c.hi, a.hi, b.hi)};
}
// a^(-1/2) and 1/a: NEON's tables are good for 8 bits, and one step of Newton's method, for which
// it has an instruction each, makes 16 of them.
LIMULUS_INLINE float32x4_t rsqrt_guess(float32x4_t a) {
  const float32x4_t y = vrsqrteq_f32(a);
  return vmulq_f32(y, vrsqrtsq_f32(vmulq_f32(a, y), y));
}
LIMULUS_INLINE float32x4_t reciprocal_guess(float32x4_t a) {
  const float32x4_t q = vrecpeq_f32(a);
  return vmulq_f32(q, vrecpsq_f32(a, q));
}
LIMULUS_INLINE Vec<float> rsqrt_guess(Vec<float> a) {
  return {rsqrt_guess(a.lo), rsqrt_guess(a.hi)};
}
LIMULUS_INLINE Vec<float> reciprocal_guess(Vec<float> a) {
  return {reciprocal_guess(a.lo), reciprocal_guess(a.hi)};
}
LIMULUS_INLINE Vec<float>::Mask equal(Vec<float> a, Vec<float> b) {
  return {vceqq_f32(a.lo, b.lo), vceqq_f32(a.hi, b.hi)};
}
LIMULUS_INLINE Vec<double>::Mask equal(Vec<double> a, Vec<double> b) {
  return {vceqq_f64(a.lo, b.lo), vceqq_f64(a.hi, b.hi)};
}
LIMULUS_INLINE Vec<float>::Mask mask_and(Vec<float>::Mask a, Vec<float>::Mask b) {
  return {vandq_u32(a.lo, b.lo), vandq_u32(a.hi, b.hi)};
}
LIMULUS_INLINE Vec<double>::Mask mask_and(Vec<double>::Mask a, Vec<double>::Mask b) {
  return {vandq_u64(a.lo, b.lo), vandq_u64(a.hi, b.hi)};
}
LIMULUS_INLINE Vec<float>::Mask mask_or(Vec<float>::Mask a, Vec<float>::Mask b) {
  return {vorrq_u32(a.lo, b.lo), vorrq_u32(a.hi, b.hi)};
}
LIMULUS_INLINE Vec<double>::Mask mask_or(Vec<double>::Mask a, Vec<double>::Mask b) {
  return {vorrq_u64(a.lo, b.lo), vorrq_u64(a.hi, b.hi)};
}
// to the nearest integer
LIMULUS_INLINE Vec<float> round(Vec<float> a) { return {vrndnq_f32(a.lo), vrndnq_f32(a.hi)}; }
LIMULUS_INLINE Vec<double> round(Vec<double> a) { return {vrndnq_f64(a.lo), vrndnq_f64(a.hi)}; }
// 2^n for integral n in the range of normal numbers: the biased exponent is n + 127 (or 1023).
LIMULUS_INLINE float32x4_t power_of_2(float32x4_t n) {
  const int32x4_t biased = vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127));
  return vreinterpretq_f32_s32(vshlq_n_s32(biased, 23));
}
LIMULUS_INLINE float64x2_t power_of_2(float64x2_t n) {
  const int64x2_t biased = vaddq_s64(vcvtnq_s64_f64(n), vdupq_n_s64(1023));
  return vreinterpretq_f64_s64(vshlq_n_s64(biased, 52));
}
// a 2^n for integral n, with overflow to infinity and gradual underflow: in two halves, because 2^n
// itself may overflow where a 2^n does not.
template <class T>
LIMULUS_INLINE Vec<T> scale_2(Vec<T> a, Vec<T> n) {
  const Vec<T> half = round(n * Vec<T>::set(T(0.5))), rest = n - half;
  const Vec<T> first = {power_of_2(half.lo), power_of_2(half.hi)};
  const Vec<T> second = {power_of_2(rest.lo), power_of_2(rest.hi)};
  return a * first * second;
}
// a = m 2^e, m in [1, 2), for positive finite a
LIMULUS_INLINE Vec<float> split_2(Vec<float> a, Vec<float>* e) {
  const auto tiny = Vec<float>::set(0x1p-126f) > a;  // subnormal: scaled into the normal range
  const Vec<float> normal = select(tiny, a * Vec<float>::set(0x1p24f), a);
  const auto exponent = [](float32x4_t v) {
    return vcvtq_f32_u32(vshrq_n_u32(vreinterpretq_u32_f32(v), 23));
  };
  const auto mantissa = [](float32x4_t v) {
    const uint32x4_t bits = vandq_u32(vreinterpretq_u32_f32(v), vdupq_n_u32(0x007fffff));
    return vreinterpretq_f32_u32(vorrq_u32(bits, vdupq_n_u32(0x3f800000)));
  };
  const Vec<float> raw = {exponent(normal.lo), exponent(normal.hi)};
  *e = raw - select(tiny, Vec<float>::set(127 + 24), Vec<float>::set(127));
  return {mantissa(normal.lo), mantissa(normal.hi)};
}
LIMULUS_INLINE Vec<double> split_2(Vec<double> a, Vec<double>* e) {
  const auto tiny = Vec<double>::set(0x1p-1022) > a;
  const Vec<double> normal = select(tiny, a * Vec<double>::set(0x1p54), a);
  const auto exponent = [](float64x2_t v) {
    return vcvtq_f64_u64(vshrq_n_u64(vreinterpretq_u64_f64(v), 52));
  };
  const auto mantissa = [](float64x2_t v) {
    const uint64x2_t bits = vandq_u64(vreinterpretq_u64_f64(v), vdupq_n_u64(0x000fffffffffffff));
    return vreinterpretq_f64_u64(vorrq_u64(bits, vdupq_n_u64(0x3ff0000000000000)));
  };
  const Vec<double> raw = {exponent(normal.lo), exponent(normal.hi)};
  *e = raw - select(tiny, Vec<double>::set(1023 + 54), Vec<double>::set(1023));
  return {mantissa(normal.lo), mantissa(normal.hi)};
}

// ---- squares, transposed (matmul/pack.h) --------------------------------------------------------

// A square of 4 x 4 floats: pairs of rows, then pairs of pairs, 8 shuffles.
LIMULUS_INLINE void transpose_four(const float* src, std::int64_t lds, float* dst,
                                   std::int64_t ldd) {
  const float32x4_t a = vld1q_f32(src), b = vld1q_f32(src + lds);
  const float32x4_t c = vld1q_f32(src + 2 * lds), d = vld1q_f32(src + 3 * lds);
  const auto pairs = [](float32x4_t x, float32x4_t y, bool odd) {
    return vreinterpretq_f64_f32(odd ? vtrn2q_f32(x, y) : vtrn1q_f32(x, y));
  };
  const float64x2_t ab0 = pairs(a, b, false), ab1 = pairs(a, b, true);
  const float64x2_t cd0 = pairs(c, d, false), cd1 = pairs(c, d, true);
  vst1q_f32(dst, vreinterpretq_f32_f64(vtrn1q_f64(ab0, cd0)));
  vst1q_f32(dst + ldd, vreinterpretq_f32_f64(vtrn1q_f64(ab1, cd1)));
  vst1q_f32(dst + 2 * ldd, vreinterpretq_f32_f64(vtrn2q_f64(ab0, cd0)));
  vst1q_f32(dst + 3 * ldd, vreinterpretq_f32_f64(vtrn2q_f64(ab1, cd1)));
}
// A square of 8 x 8 floats, or 4 x 4 doubles, by its quarters.
LIMULUS_INLINE void transpose_square(const float* src, std::int64_t lds, float* dst,
                                     std::int64_t ldd) {
  for (int i = 0; i < 8; i += 4)
    for (int j = 0; j < 8; j += 4) transpose_four(src + i * lds + j, lds, dst + j * ldd + i, ldd);
}
LIMULUS_INLINE void transpose_square(const double* src, std::int64_t lds, double* dst,
                                     std::int64_t ldd) {
  for (int i = 0; i < 4; i += 2)
    for (int j = 0; j < 4; j += 2) {
      const double* from = src + i * lds + j;
      const float64x2_t a = vld1q_f64(from), b = vld1q_f64(from + lds);
      vst1q_f64(dst + j * ldd + i, vtrn1q_f64(a, b));
      vst1q_f64(dst + (j + 1) * ldd + i, vtrn2q_f64(a, b));
    }
}

// ---- comparing with NaN, and storing positions (windows/max_pool_plane.h) -----------------------

// v takes the place of `best`: larger, or the first NaN.
LIMULUS_INLINE Vec<float>::Mask wins(Vec<float> v, Vec<float> best) {
  return {vbicq_u32(vceqq_f32(best.lo, best.lo), vcleq_f32(v.lo, best.lo)),
          vbicq_u32(vceqq_f32(best.hi, best.hi), vcleq_f32(v.hi, best.hi))};
}
LIMULUS_INLINE Vec<double>::Mask wins(Vec<double> v, Vec<double> best) {
  return {vbicq_u64(vceqq_f64(best.lo, best.lo), vcleq_f64(v.lo, best.lo)),
          vbicq_u64(vceqq_f64(best.hi, best.hi), vcleq_f64(v.hi, best.hi))};
}
// p[i] = offset[i] + first + i * step for the first n lanes
template <class T>
LIMULUS_INLINE void store_position(std::int32_t* p, int n, Vec<T> offset, int first, int step) {
  T lane[Vec<T>::width];
  offset.store(lane);
  for (int i = 0; i < n; ++i) p[i] = static_cast<std::int32_t>(lane[i]) + first + i * step;
}

// ---- places of a row (windows/pool_geometry.h) --------------------------------------------------

// The even and the odd places of a and b, one after the other.
LIMULUS_INLINE Vec<float> even_places(Vec<float> a, Vec<float> b) {
  return {vuzp1q_f32(a.lo, a.hi), vuzp1q_f32(b.lo, b.hi)};
}
LIMULUS_INLINE Vec<double> even_places(Vec<double> a, Vec<double> b) {
  return {vuzp1q_f64(a.lo, a.hi), vuzp1q_f64(b.lo, b.hi)};
}
LIMULUS_INLINE Vec<float> odd_places(Vec<float> a, Vec<float> b) {
  return {vuzp2q_f32(a.lo, a.hi), vuzp2q_f32(b.lo, b.hi)};
}
LIMULUS_INLINE Vec<double> odd_places(Vec<double> a, Vec<double> b) {
  return {vuzp2q_f64(a.lo, a.hi), vuzp2q_f64(b.lo, b.hi)};
}
LIMULUS_INLINE Vec<float> merge_even(Vec<float> a, Vec<float> b) {  // a0 a2 a4 a6 b1 b3 b5 b7
  return {vuzp1q_f32(a.lo, a.hi), vuzp2q_f32(b.lo, b.hi)};
}
LIMULUS_INLINE Vec<double> merge_even(Vec<double> a, Vec<double> b) {  // a0 a2 b1 b3
  return {vuzp1q_f64(a.lo, a.hi), vuzp2q_f64(b.lo, b.hi)};
}

// ---- lanes of 64 bits (elementwise/dropout.cpp) -------------------------------------------------

constexpr int blocks_per_pass = 4;
struct Lanes {
  uint64x2_t lo, hi;
};
LIMULUS_INLINE Lanes all(std::uint64_t a) { return {vdupq_n_u64(a), vdupq_n_u64(a)}; }
LIMULUS_INLINE Lanes operator+(Lanes a, Lanes b) {
  return {vaddq_u64(a.lo, b.lo), vaddq_u64(a.hi, b.hi)};
}
LIMULUS_INLINE Lanes mix(Lanes a, Lanes b, Lanes c) {  // a ^ b ^ c
  return {veorq_u64(a.lo, veorq_u64(b.lo, c.lo)), veorq_u64(a.hi, veorq_u64(b.hi, c.hi))};
}
LIMULUS_INLINE Lanes multiply(Lanes a, Lanes b) {  // the low halves
  return {vmull_u32(vmovn_u64(a.lo), vmovn_u64(b.lo)), vmull_u32(vmovn_u64(a.hi), vmovn_u64(b.hi))};
}
LIMULUS_INLINE Lanes high(Lanes a) { return {vshrq_n_u64(a.lo, 32), vshrq_n_u64(a.hi, 32)}; }
LIMULUS_INLINE Lanes block_order() {
  const std::uint64_t order[] = {0, 1, 2, 3};
  return {vld1q_u64(order), vld1q_u64(order + 2)};
}
LIMULUS_INLINE Lanes pair(Lanes low, Lanes up) {  // low halves of both: a word and the one after it
  return {vsliq_n_u64(low.lo, up.lo, 32), vsliq_n_u64(low.hi, up.hi, 32)};
}
LIMULUS_INLINE void store_words(Lanes w01, Lanes w23, std::uint32_t* words) {
  const uint64x2_t blocks[] = {vzip1q_u64(w01.lo, w23.lo), vzip2q_u64(w01.lo, w23.lo),
                               vzip1q_u64(w01.hi, w23.hi), vzip2q_u64(w01.hi, w23.hi)};
  for (int i = 0; i < 4; ++i) vst1q_u32(words + 4 * i, vreinterpretq_u32_u64(blocks[i]));
}
// v where the word is at or above the threshold, else 0
LIMULUS_INLINE Vec<float> kept(const std::uint32_t* words, std::uint32_t threshold, Vec<float> v) {
  const uint32x4_t least = vdupq_n_u32(threshold);
  return select({vcgeq_u32(vld1q_u32(words), least), vcgeq_u32(vld1q_u32(words + 4), least)}, v,
                Vec<float>::zero());
}
LIMULUS_INLINE Vec<double> kept(const std::uint32_t* words, std::uint32_t threshold,
                                Vec<double> v) {
  const int32x4_t keep = vreinterpretq_s32_u32(vcgeq_u32(vld1q_u32(words), vdupq_n_u32(threshold)));
  return select({vreinterpretq_u64_s64(vmovl_s32(vget_low_s32(keep))),
                 vreinterpretq_u64_s64(vmovl_high_s32(keep))},
                v, Vec<double>::zero());
}

}  // namespace limulus::cpu::LIMULUS_ISA

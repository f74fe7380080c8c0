#pragma once
// AVX2 and FMA, as simd.h asks for them: 16 registers of 256 bits, 8 floats or 4 doubles; a mask is
// a register whose lanes are all ones or all zeros.
#include "backends/cpu/kernels/simd/x86.h"

namespace limulus::cpu::LIMULUS_ISA {

constexpr int tile_rows = 6;  // of the register tile (matmul/tile.h)

// Lanes [0, n) of a sliding window over eight ones and eight zeros.
alignas(64) inline constexpr std::int32_t lane_mask[16] = {-1, -1, -1, -1, -1, -1, -1, -1,
                                                           0,  0,  0,  0,  0,  0,  0,  0};

template <>
struct Vec<float> {
  struct Mask {
    __m256 v;
  };
  static constexpr int width = 8;
  __m256 v;
  static LIMULUS_INLINE Vec zero() { return {_mm256_setzero_ps()}; }
  static LIMULUS_INLINE Vec set(float x) { return {_mm256_set1_ps(x)}; }
  static LIMULUS_INLINE Vec load(const float* p) { return {_mm256_loadu_ps(p)}; }
  LIMULUS_INLINE void store(float* p) const { _mm256_storeu_ps(p, v); }
  LIMULUS_INLINE void stream(float* p) const { _mm256_stream_ps(p, v); }
  static LIMULUS_INLINE __m256i first(int n) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(lane_mask + 8 - n));
  }
  static LIMULUS_INLINE Vec load_n(const float* p, int n) {
    return {_mm256_maskload_ps(p, first(n))};
  }
  LIMULUS_INLINE void store_n(float* p, int n) const { _mm256_maskstore_ps(p, first(n), v); }
  friend LIMULUS_INLINE Vec operator+(Vec a, Vec b) { return {_mm256_add_ps(a.v, b.v)}; }
  friend LIMULUS_INLINE Vec operator-(Vec a, Vec b) { return {_mm256_sub_ps(a.v, b.v)}; }
  friend LIMULUS_INLINE Vec operator*(Vec a, Vec b) { return {_mm256_mul_ps(a.v, b.v)}; }
  friend LIMULUS_INLINE Vec operator/(Vec a, Vec b) { return {_mm256_div_ps(a.v, b.v)}; }
  friend LIMULUS_INLINE Mask operator>(Vec a, Vec b) {
    return {_mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ)};
  }
  friend LIMULUS_INLINE Mask is_nan(Vec a) { return {_mm256_cmp_ps(a.v, a.v, _CMP_UNORD_Q)}; }
};

template <>
struct Vec<double> {
  struct Mask {
    __m256d v;
  };
  static constexpr int width = 4;
  __m256d v;
  static LIMULUS_INLINE Vec zero() { return {_mm256_setzero_pd()}; }
  static LIMULUS_INLINE Vec set(double x) { return {_mm256_set1_pd(x)}; }
  static LIMULUS_INLINE Vec load(const double* p) { return {_mm256_loadu_pd(p)}; }
  LIMULUS_INLINE void store(double* p) const { _mm256_storeu_pd(p, v); }
  LIMULUS_INLINE void stream(double* p) const { _mm256_stream_pd(p, v); }
  static LIMULUS_INLINE __m256i first(int n) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(lane_mask + 8 - 2 * n));
  }
  static LIMULUS_INLINE Vec load_n(const double* p, int n) {
    return {_mm256_maskload_pd(p, first(n))};
  }
  LIMULUS_INLINE void store_n(double* p, int n) const { _mm256_maskstore_pd(p, first(n), v); }
  friend LIMULUS_INLINE Vec operator+(Vec a, Vec b) { return {_mm256_add_pd(a.v, b.v)}; }
  friend LIMULUS_INLINE Vec operator-(Vec a, Vec b) { return {_mm256_sub_pd(a.v, b.v)}; }
  friend LIMULUS_INLINE Vec operator*(Vec a, Vec b) { return {_mm256_mul_pd(a.v, b.v)}; }
  friend LIMULUS_INLINE Vec operator/(Vec a, Vec b) { return {_mm256_div_pd(a.v, b.v)}; }
  friend LIMULUS_INLINE Mask operator>(Vec a, Vec b) {
    return {_mm256_cmp_pd(a.v, b.v, _CMP_GT_OQ)};
  }
  friend LIMULUS_INLINE Mask is_nan(Vec a) { return {_mm256_cmp_pd(a.v, a.v, _CMP_UNORD_Q)}; }
};

LIMULUS_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {  // a b + c
  return {_mm256_fmadd_ps(a.v, b.v, c.v)};
}
LIMULUS_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return {_mm256_fmadd_pd(a.v, b.v, c.v)};
}
LIMULUS_INLINE Vec<float> sqrt(Vec<float> a) { return {_mm256_sqrt_ps(a.v)}; }
LIMULUS_INLINE Vec<double> sqrt(Vec<double> a) { return {_mm256_sqrt_pd(a.v)}; }
// m ? a : b, lane by lane
LIMULUS_INLINE Vec<float> select(Vec<float>::Mask m, Vec<float> a, Vec<float> b) {
  return {_mm256_blendv_ps(b.v, a.v, m.v)};
}
LIMULUS_INLINE Vec<double> select(Vec<double>::Mask m, Vec<double> a, Vec<double> b) {
  return {_mm256_blendv_pd(b.v, a.v, m.v)};
}

// whether a lane of the mask is set
LIMULUS_INLINE bool any(Vec<float>::Mask m) { return _mm256_movemask_ps(m.v) != 0; }
LIMULUS_INLINE bool any(Vec<double>::Mask m) { return _mm256_movemask_pd(m.v) != 0; }

// For all the compiler knows, a is changed here.
template <class T>
LIMULUS_INLINE void touch(Vec<T>* a) {
  asm("" : "+v"(a->v));
}

// A number of 16 bits is widened as it is loaded: bfloat16 is the upper half of a float.
LIMULUS_INLINE Vec<float> widen(const Bf16* p) {
  const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16))};
}

// ---- signs, roots, exponents (simd_math.h) ------------------------------------------------------

// The exponent is moved in and out of its bits by integer arithmetic.
LIMULUS_INLINE Vec<float> abs(Vec<float> a) {
  return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)};
}
LIMULUS_INLINE Vec<double> abs(Vec<double> a) {
  return {_mm256_andnot_pd(_mm256_set1_pd(-0.0), a.v)};
}
LIMULUS_INLINE Vec<float> neg(Vec<float> a) { return {_mm256_xor_ps(a.v, _mm256_set1_ps(-0.0f))}; }
LIMULUS_INLINE Vec<double> neg(Vec<double> a) { return {_mm256_xor_pd(a.v, _mm256_set1_pd(-0.0))}; }
LIMULUS_INLINE Vec<float> copy_sign(Vec<float> a, Vec<float> s) {
  return {_mm256_or_ps(abs(a).v, _mm256_and_ps(s.v, _mm256_set1_ps(-0.0f)))};
}
LIMULUS_INLINE Vec<double> copy_sign(Vec<double> a, Vec<double> s) {
  return {_mm256_or_pd(abs(a).v, _mm256_and_pd(s.v, _mm256_set1_pd(-0.0)))};
}
LIMULUS_INLINE Vec<float> fnma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return {_mm256_fnmadd_ps(a.v, b.v, c.v)};
}
// relative errors below 1.5 * 2^-12
LIMULUS_INLINE Vec<float> rsqrt_guess(Vec<float> a) { return {_mm256_rsqrt_ps(a.v)}; }
LIMULUS_INLINE Vec<float> reciprocal_guess(Vec<float> a) { return {_mm256_rcp_ps(a.v)}; }
LIMULUS_INLINE Vec<float>::Mask equal(Vec<float> a, Vec<float> b) {
  return {_mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ)};
}
LIMULUS_INLINE Vec<double>::Mask equal(Vec<double> a, Vec<double> b) {
  return {_mm256_cmp_pd(a.v, b.v, _CMP_EQ_OQ)};
}
LIMULUS_INLINE Vec<float>::Mask mask_and(Vec<float>::Mask a, Vec<float>::Mask b) {
  return {_mm256_and_ps(a.v, b.v)};
}
LIMULUS_INLINE Vec<double>::Mask mask_and(Vec<double>::Mask a, Vec<double>::Mask b) {
  return {_mm256_and_pd(a.v, b.v)};
}
LIMULUS_INLINE Vec<float>::Mask mask_or(Vec<float>::Mask a, Vec<float>::Mask b) {
  return {_mm256_or_ps(a.v, b.v)};
}
LIMULUS_INLINE Vec<double>::Mask mask_or(Vec<double>::Mask a, Vec<double>::Mask b) {
  return {_mm256_or_pd(a.v, b.v)};
}
LIMULUS_INLINE Vec<float> round(Vec<float> a) {
  return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
LIMULUS_INLINE Vec<double> round(Vec<double> a) {
  return {_mm256_round_pd(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
// 2^n for integral n in the range of normal numbers: the biased exponent is n + 127 (or 1023).
LIMULUS_INLINE Vec<float> power_of_2(Vec<float> n) {
  const __m256i biased = _mm256_add_epi32(_mm256_cvtps_epi32(n.v), _mm256_set1_epi32(127));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(biased, 23))};
}
// AVX2 has no conversion to 64-bit integers; adding 2^52 + 2^51 leaves n in the low mantissa bits.
LIMULUS_INLINE Vec<double> power_of_2(Vec<double> n) {
  const __m256d shifted = _mm256_add_pd(n.v, _mm256_set1_pd(6755399441055744.0 + 1023.0));
  return {_mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(shifted), 52))};
}
// In two halves, because 2^n itself may overflow where a 2^n does not.
template <class T>
LIMULUS_INLINE Vec<T> scale_2(Vec<T> a, Vec<T> n) {
  const Vec<T> half = round(n * Vec<T>::set(T(0.5)));
  return a * power_of_2(half) * power_of_2(n - half);
}
LIMULUS_INLINE Vec<float> split_2(Vec<float> a, Vec<float>* e) {
  const auto tiny = Vec<float>::set(0x1p-126f) > a;  // subnormal: scaled into the normal range
  const __m256i bits = _mm256_castps_si256(select(tiny, a * Vec<float>::set(0x1p24f), a).v);
  const Vec<float> raw{_mm256_cvtepi32_ps(_mm256_srli_epi32(bits, 23))};
  *e = raw - select(tiny, Vec<float>::set(127 + 24), Vec<float>::set(127));
  return {_mm256_castsi256_ps(_mm256_or_si256(_mm256_and_si256(bits, _mm256_set1_epi32(0x007fffff)),
                                              _mm256_set1_epi32(0x3f800000)))};
}
LIMULUS_INLINE Vec<double> split_2(Vec<double> a, Vec<double>* e) {
  const auto tiny = Vec<double>::set(0x1p-1022) > a;
  const __m256i bits = _mm256_castpd_si256(select(tiny, a * Vec<double>::set(0x1p54), a).v);
  // The exponent, put below the mantissa bits of 2^52, reads as the number 2^52 + exponent.
  const __m256i raw =
      _mm256_or_si256(_mm256_srli_epi64(bits, 52), _mm256_castpd_si256(_mm256_set1_pd(0x1p52)));
  e->v = _mm256_sub_pd(_mm256_castsi256_pd(raw), _mm256_set1_pd(0x1p52));
  *e = *e - select(tiny, Vec<double>::set(1023 + 54), Vec<double>::set(1023));
  return {_mm256_castsi256_pd(
      _mm256_or_si256(_mm256_and_si256(bits, _mm256_set1_epi64x(0x000fffffffffffff)),
                      _mm256_set1_epi64x(0x3ff0000000000000)))};
}

// ---- comparing with NaN, and storing positions (windows/max_pool_plane.h) -----------------------

LIMULUS_INLINE Vec<float>::Mask wins(Vec<float> v, Vec<float> best) {
  return {_mm256_and_ps(_mm256_cmp_ps(best.v, best.v, _CMP_ORD_Q),
                        _mm256_cmp_ps(v.v, best.v, _CMP_NLE_UQ))};
}
LIMULUS_INLINE Vec<double>::Mask wins(Vec<double> v, Vec<double> best) {
  return {_mm256_and_pd(_mm256_cmp_pd(best.v, best.v, _CMP_ORD_Q),
                        _mm256_cmp_pd(v.v, best.v, _CMP_NLE_UQ))};
}
LIMULUS_INLINE void store_position(std::int32_t* p, int n, Vec<float> offset, int first, int step) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i start =
      _mm256_add_epi32(_mm256_set1_epi32(first), _mm256_mullo_epi32(lane, _mm256_set1_epi32(step)));
  const __m256i at = _mm256_add_epi32(start, _mm256_cvtps_epi32(offset.v));
  if (n == 8) return _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), at);
  _mm256_maskstore_epi32(p, Vec<float>::first(n), at);
}
LIMULUS_INLINE void store_position(std::int32_t* p, int n, Vec<double> offset, int first,
                                   int step) {
  const __m128i lane = _mm_setr_epi32(0, 1, 2, 3);
  const __m128i start =
      _mm_add_epi32(_mm_set1_epi32(first), _mm_mullo_epi32(lane, _mm_set1_epi32(step)));
  const __m128i at = _mm_add_epi32(start, _mm256_cvtpd_epi32(offset.v));
  if (n == 4) return _mm_storeu_si128(reinterpret_cast<__m128i*>(p), at);
  _mm_maskstore_epi32(p, _mm256_castsi256_si128(Vec<float>::first(n)), at);
}

// ---- places of a row (windows/pool_geometry.h) --------------------------------------------------

LIMULUS_INLINE Vec<float> even_places(Vec<float> a, Vec<float> b) {  // a0 a2 b0 b2 | a4 a6 b4 b6
  const __m256 mixed = _mm256_shuffle_ps(a.v, b.v, 0b10001000);
  return {_mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(mixed), 0b11011000))};
}
LIMULUS_INLINE Vec<double> even_places(Vec<double> a, Vec<double> b) {  // a0 b0 | a2 b2
  return {_mm256_permute4x64_pd(_mm256_shuffle_pd(a.v, b.v, 0b0000), 0b11011000)};
}
LIMULUS_INLINE Vec<float> odd_places(Vec<float> a, Vec<float> b) {
  const __m256 mixed = _mm256_shuffle_ps(a.v, b.v, 0b11011101);
  return {_mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(mixed), 0b11011000))};
}
LIMULUS_INLINE Vec<double> odd_places(Vec<double> a, Vec<double> b) {
  return {_mm256_permute4x64_pd(_mm256_shuffle_pd(a.v, b.v, 0b1111), 0b11011000)};
}
LIMULUS_INLINE Vec<float> merge_even(Vec<float> a, Vec<float> b) {  // a0 a2 b1 b3 | a4 a6 b5 b7
  const __m256 mixed = _mm256_shuffle_ps(a.v, b.v, 0b11011000);
  return {_mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(mixed), 0b11011000))};
}
LIMULUS_INLINE Vec<double> merge_even(Vec<double> a, Vec<double> b) {  // a0 b1 | a2 b3
  return {_mm256_permute4x64_pd(_mm256_shuffle_pd(a.v, b.v, 0b1010), 0b11011000)};
}

// ---- lanes of 64 bits (elementwise/dropout.cpp) -------------------------------------------------

constexpr int blocks_per_pass = 4;
struct Lanes {
  __m256i v;
};
LIMULUS_INLINE Lanes all(std::uint64_t a) {
  return {_mm256_set1_epi64x(static_cast<long long>(a))};
}
LIMULUS_INLINE Lanes operator+(Lanes a, Lanes b) { return {_mm256_add_epi64(a.v, b.v)}; }
LIMULUS_INLINE Lanes mix(Lanes a, Lanes b, Lanes c) {
  return {_mm256_xor_si256(a.v, _mm256_xor_si256(b.v, c.v))};
}
LIMULUS_INLINE Lanes multiply(Lanes a, Lanes b) { return {_mm256_mul_epu32(a.v, b.v)}; }
LIMULUS_INLINE Lanes high(Lanes a) { return {_mm256_srli_epi64(a.v, 32)}; }
LIMULUS_INLINE Lanes block_order() { return {_mm256_setr_epi64x(0, 2, 1, 3)}; }
LIMULUS_INLINE Lanes pair(Lanes low, Lanes up) {
  return {_mm256_blend_epi32(low.v, _mm256_slli_epi64(up.v, 32), 0xAA)};
}
LIMULUS_INLINE void store_words(Lanes w01, Lanes w23, std::uint32_t* words) {
  __m256i* out = reinterpret_cast<__m256i*>(words);
  _mm256_storeu_si256(out, _mm256_unpacklo_epi64(w01.v, w23.v));
  _mm256_storeu_si256(out + 1, _mm256_unpackhi_epi64(w01.v, w23.v));
}
// AVX2 compares signed integers only; but w >= t is max(w, t) = w.
LIMULUS_INLINE Vec<float> kept(const std::uint32_t* words, std::uint32_t threshold, Vec<float> v) {
  const __m256i w = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words));
  const __m256i least = _mm256_set1_epi32(static_cast<int>(threshold));
  const __m256i keep = _mm256_cmpeq_epi32(_mm256_max_epu32(w, least), w);
  return {_mm256_and_ps(_mm256_castsi256_ps(keep), v.v)};
}
LIMULUS_INLINE Vec<double> kept(const std::uint32_t* words, std::uint32_t threshold,
                                Vec<double> v) {
  const __m128i w = _mm_loadu_si128(reinterpret_cast<const __m128i*>(words));
  const __m128i least = _mm_set1_epi32(static_cast<int>(threshold));
  const __m256i keep = _mm256_cvtepi32_epi64(_mm_cmpeq_epi32(_mm_max_epu32(w, least), w));
  return {_mm256_and_pd(_mm256_castsi256_pd(keep), v.v)};
}

}  // namespace limulus::cpu::LIMULUS_ISA

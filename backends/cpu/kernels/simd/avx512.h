#pragma once
// AVX-512, as simd.h asks for it: 32 registers of 512 bits, 16 floats or 8 doubles; a mask is a
// number with a bit for each lane.
#include "backends/cpu/kernels/simd/x86.h"

namespace limulus::cpu::LIMULUS_ISA {

constexpr int tile_rows = 14;  // of the register tile (matmul/tile.h)

template <>
struct Vec<float> {
  using Mask = __mmask16;
  static constexpr int width = 16;
  __m512 v;
  static LIMULUS_INLINE Vec zero() { return {_mm512_setzero_ps()}; }
  static LIMULUS_INLINE Vec set(float x) { return {_mm512_set1_ps(x)}; }
  static LIMULUS_INLINE Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
  LIMULUS_INLINE void store(float* p) const { _mm512_storeu_ps(p, v); }
  LIMULUS_INLINE void stream(float* p) const { _mm512_stream_ps(p, v); }  // p aligned
  // The first n lanes (0 <= n <= width); the others read as 0 and are not touched.
  static LIMULUS_INLINE Vec load_n(const float* p, int n) {
    return {_mm512_maskz_loadu_ps(static_cast<Mask>((1u << n) - 1), p)};
  }
  LIMULUS_INLINE void store_n(float* p, int n) const {
    _mm512_mask_storeu_ps(p, static_cast<Mask>((1u << n) - 1), v);
  }
  friend LIMULUS_INLINE Vec operator+(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
  friend LIMULUS_INLINE Vec operator-(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
  friend LIMULUS_INLINE Vec operator*(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
  friend LIMULUS_INLINE Vec operator/(Vec a, Vec b) { return {_mm512_div_ps(a.v, b.v)}; }
  friend LIMULUS_INLINE Mask operator>(Vec a, Vec b) {
    return _mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ);
  }
  friend LIMULUS_INLINE Mask is_nan(Vec a) { return _mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q); }
};

template <>
struct Vec<double> {
  using Mask = __mmask8;
  static constexpr int width = 8;
  __m512d v;
  static LIMULUS_INLINE Vec zero() { return {_mm512_setzero_pd()}; }
  static LIMULUS_INLINE Vec set(double x) { return {_mm512_set1_pd(x)}; }
  static LIMULUS_INLINE Vec load(const double* p) { return {_mm512_loadu_pd(p)}; }
  LIMULUS_INLINE void store(double* p) const { _mm512_storeu_pd(p, v); }
  LIMULUS_INLINE void stream(double* p) const { _mm512_stream_pd(p, v); }
  static LIMULUS_INLINE Vec load_n(const double* p, int n) {
    return {_mm512_maskz_loadu_pd(static_cast<Mask>((1u << n) - 1), p)};
  }
  LIMULUS_INLINE void store_n(double* p, int n) const {
    _mm512_mask_storeu_pd(p, static_cast<Mask>((1u << n) - 1), v);
  }
  friend LIMULUS_INLINE Vec operator+(Vec a, Vec b) { return {_mm512_add_pd(a.v, b.v)}; }
  friend LIMULUS_INLINE Vec operator-(Vec a, Vec b) { return {_mm512_sub_pd(a.v, b.v)}; }
  friend LIMULUS_INLINE Vec operator*(Vec a, Vec b) { return {_mm512_mul_pd(a.v, b.v)}; }
  friend LIMULUS_INLINE Vec operator/(Vec a, Vec b) { return {_mm512_div_pd(a.v, b.v)}; }
  friend LIMULUS_INLINE Mask operator>(Vec a, Vec b) {
    return _mm512_cmp_pd_mask(a.v, b.v, _CMP_GT_OQ);
  }
  friend LIMULUS_INLINE Mask is_nan(Vec a) { return _mm512_cmp_pd_mask(a.v, a.v, _CMP_UNORD_Q); }
};

LIMULUS_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {  // a b + c
  return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
LIMULUS_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return {_mm512_fmadd_pd(a.v, b.v, c.v)};
}
LIMULUS_INLINE Vec<float> sqrt(Vec<float> a) { return {_mm512_sqrt_ps(a.v)}; }
LIMULUS_INLINE Vec<double> sqrt(Vec<double> a) { return {_mm512_sqrt_pd(a.v)}; }
// m ? a : b, lane by lane
LIMULUS_INLINE Vec<float> select(__mmask16 m, Vec<float> a, Vec<float> b) {
  return {_mm512_mask_blend_ps(m, b.v, a.v)};
}
LIMULUS_INLINE Vec<double> select(__mmask8 m, Vec<double> a, Vec<double> b) {
  return {_mm512_mask_blend_pd(m, b.v, a.v)};
}

// whether a lane of the mask is set
LIMULUS_INLINE bool any(__mmask16 m) { return m != 0; }
LIMULUS_INLINE bool any(__mmask8 m) { return m != 0; }

// For all the compiler knows, a is changed here.
template <class T>
LIMULUS_INLINE void touch(Vec<T>* a) {
  asm("" : "+v"(a->v));
}

// A number of 16 bits is widened as it is loaded: bfloat16 is the upper half of a float.
LIMULUS_INLINE Vec<float> widen(const Bf16* p) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16))};
}

// ---- signs, roots, exponents (simd_math.h) ------------------------------------------------------

LIMULUS_INLINE Vec<float> abs(Vec<float> a) { return {_mm512_abs_ps(a.v)}; }
LIMULUS_INLINE Vec<double> abs(Vec<double> a) { return {_mm512_abs_pd(a.v)}; }
LIMULUS_INLINE Vec<float> neg(Vec<float> a) { return {_mm512_xor_ps(a.v, _mm512_set1_ps(-0.0f))}; }
LIMULUS_INLINE Vec<double> neg(Vec<double> a) { return {_mm512_xor_pd(a.v, _mm512_set1_pd(-0.0))}; }
// |a| with the sign of s
LIMULUS_INLINE Vec<float> copy_sign(Vec<float> a, Vec<float> s) {
  return {_mm512_or_ps(_mm512_abs_ps(a.v), _mm512_and_ps(s.v, _mm512_set1_ps(-0.0f)))};
}
LIMULUS_INLINE Vec<double> copy_sign(Vec<double> a, Vec<double> s) {
  return {_mm512_or_pd(_mm512_abs_pd(a.v), _mm512_and_pd(s.v, _mm512_set1_pd(-0.0)))};
}
// c - a b
LIMULUS_INLINE Vec<float> fnma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return {_mm512_fnmadd_ps(a.v, b.v, c.v)};
}
// a^(-1/2) and 1/a from a table: relative errors below 2^-14
LIMULUS_INLINE Vec<float> rsqrt_guess(Vec<float> a) { return {_mm512_rsqrt14_ps(a.v)}; }
LIMULUS_INLINE Vec<float> reciprocal_guess(Vec<float> a) { return {_mm512_rcp14_ps(a.v)}; }
LIMULUS_INLINE __mmask16 equal(Vec<float> a, Vec<float> b) {
  return _mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ);
}
LIMULUS_INLINE __mmask8 equal(Vec<double> a, Vec<double> b) {
  return _mm512_cmp_pd_mask(a.v, b.v, _CMP_EQ_OQ);
}
LIMULUS_INLINE __mmask16 mask_and(__mmask16 a, __mmask16 b) { return a & b; }
LIMULUS_INLINE __mmask8 mask_and(__mmask8 a, __mmask8 b) { return a & b; }
LIMULUS_INLINE __mmask16 mask_or(__mmask16 a, __mmask16 b) { return a | b; }
LIMULUS_INLINE __mmask8 mask_or(__mmask8 a, __mmask8 b) { return a | b; }
// to the nearest integer
LIMULUS_INLINE Vec<float> round(Vec<float> a) { return {_mm512_roundscale_ps(a.v, 0)}; }
LIMULUS_INLINE Vec<double> round(Vec<double> a) { return {_mm512_roundscale_pd(a.v, 0)}; }
// a 2^n for integral n, with overflow to infinity and gradual underflow
LIMULUS_INLINE Vec<float> scale_2(Vec<float> a, Vec<float> n) {
  return {_mm512_scalef_ps(a.v, n.v)};
}
LIMULUS_INLINE Vec<double> scale_2(Vec<double> a, Vec<double> n) {
  return {_mm512_scalef_pd(a.v, n.v)};
}
// a = m 2^e, m in [1, 2), for positive finite a
LIMULUS_INLINE Vec<float> split_2(Vec<float> a, Vec<float>* e) {
  e->v = _mm512_getexp_ps(a.v);
  return {_mm512_getmant_ps(a.v, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_src)};
}
LIMULUS_INLINE Vec<double> split_2(Vec<double> a, Vec<double>* e) {
  e->v = _mm512_getexp_pd(a.v);
  return {_mm512_getmant_pd(a.v, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_src)};
}

// ---- comparing with NaN, and storing positions (windows/max_pool_plane.h) -----------------------

// v takes the place of `best`: larger, or the first NaN.
LIMULUS_INLINE __mmask16 wins(Vec<float> v, Vec<float> best) {
  const __mmask16 number = _mm512_cmp_ps_mask(best.v, best.v, _CMP_ORD_Q);
  return _mm512_mask_cmp_ps_mask(number, v.v, best.v, _CMP_NLE_UQ);
}
LIMULUS_INLINE __mmask8 wins(Vec<double> v, Vec<double> best) {
  const __mmask8 number = _mm512_cmp_pd_mask(best.v, best.v, _CMP_ORD_Q);
  return _mm512_mask_cmp_pd_mask(number, v.v, best.v, _CMP_NLE_UQ);
}
// p[i] = offset[i] + first + i * step for the first n lanes
LIMULUS_INLINE void store_position(std::int32_t* p, int n, Vec<float> offset, int first, int step) {
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i start =
      _mm512_add_epi32(_mm512_set1_epi32(first), _mm512_mullo_epi32(lane, _mm512_set1_epi32(step)));
  _mm512_mask_storeu_epi32(p, static_cast<__mmask16>((1u << n) - 1),
                           _mm512_add_epi32(start, _mm512_cvtps_epi32(offset.v)));
}
LIMULUS_INLINE void store_position(std::int32_t* p, int n, Vec<double> offset, int first,
                                   int step) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i start =
      _mm256_add_epi32(_mm256_set1_epi32(first), _mm256_mullo_epi32(lane, _mm256_set1_epi32(step)));
  _mm256_mask_storeu_epi32(p, static_cast<__mmask8>((1u << n) - 1),
                           _mm256_add_epi32(start, _mm512_cvtpd_epi32(offset.v)));
}

// ---- places of a row (windows/pool_geometry.h) --------------------------------------------------

LIMULUS_INLINE Vec<float> merge_even(Vec<float> a, Vec<float> b) {
  const __m512i pick = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31);
  return {_mm512_permutex2var_ps(a.v, pick, b.v)};
}
LIMULUS_INLINE Vec<double> merge_even(Vec<double> a, Vec<double> b) {
  const __m512i pick = _mm512_setr_epi64(0, 2, 4, 6, 9, 11, 13, 15);
  return {_mm512_permutex2var_pd(a.v, pick, b.v)};
}
// The even and the odd places of a and b, one after the other.
LIMULUS_INLINE Vec<float> even_places(Vec<float> a, Vec<float> b) {
  const __m512i pick = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  return {_mm512_permutex2var_ps(a.v, pick, b.v)};
}
LIMULUS_INLINE Vec<double> even_places(Vec<double> a, Vec<double> b) {
  return {_mm512_permutex2var_pd(a.v, _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14), b.v)};
}
LIMULUS_INLINE Vec<float> odd_places(Vec<float> a, Vec<float> b) {
  const __m512i pick = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
  return {_mm512_permutex2var_ps(a.v, pick, b.v)};
}
LIMULUS_INLINE Vec<double> odd_places(Vec<double> a, Vec<double> b) {
  return {_mm512_permutex2var_pd(a.v, _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15), b.v)};
}
// The other way round: a0 b0 a1 b1 ... of the lower halves of a and b, and of the upper halves.
// (Not needed with AVX2: see max_pool.cpp.)
LIMULUS_INLINE Vec<float> interleave_low(Vec<float> a, Vec<float> b) {
  const __m512i pick = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  return {_mm512_permutex2var_ps(a.v, pick, b.v)};
}
LIMULUS_INLINE Vec<double> interleave_low(Vec<double> a, Vec<double> b) {
  return {_mm512_permutex2var_pd(a.v, _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11), b.v)};
}
LIMULUS_INLINE Vec<float> interleave_high(Vec<float> a, Vec<float> b) {
  const __m512i pick =
      _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  return {_mm512_permutex2var_ps(a.v, pick, b.v)};
}
LIMULUS_INLINE Vec<double> interleave_high(Vec<double> a, Vec<double> b) {
  return {_mm512_permutex2var_pd(a.v, _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15), b.v)};
}
// The first n lanes from integers (exact below 2^24 in float)
LIMULUS_INLINE void load_positions(const std::int32_t* p, int n, Vec<float>* v) {
  const auto lanes = static_cast<__mmask16>((1u << n) - 1);
  v->v = _mm512_cvtepi32_ps(_mm512_maskz_loadu_epi32(lanes, p));
}
LIMULUS_INLINE void load_positions(const std::int32_t* p, int n, Vec<double>* v) {
  const auto lanes = static_cast<__mmask8>((1u << n) - 1);
  v->v = _mm512_cvtepi32_pd(_mm256_maskz_loadu_epi32(lanes, p));
}

// ---- lanes of 64 bits (elementwise/dropout.cpp) -------------------------------------------------

constexpr int blocks_per_pass = 8;
struct Lanes {
  __m512i v;
};
LIMULUS_INLINE Lanes all(std::uint64_t a) { return {_mm512_set1_epi64(static_cast<long long>(a))}; }
LIMULUS_INLINE Lanes operator+(Lanes a, Lanes b) { return {_mm512_add_epi64(a.v, b.v)}; }
// a ^ b ^ c, which AVX-512 does at once
LIMULUS_INLINE Lanes mix(Lanes a, Lanes b, Lanes c) {
  return {_mm512_ternarylogic_epi64(a.v, b.v, c.v, 0b10010110)};
}
LIMULUS_INLINE Lanes multiply(Lanes a, Lanes b) { return {_mm512_mul_epu32(a.v, b.v)}; }
LIMULUS_INLINE Lanes high(Lanes a) { return {_mm512_srli_epi64(a.v, 32)}; }
// Blocks are spread over the lanes so that `unpack` below leaves them in order.
LIMULUS_INLINE Lanes block_order() { return {_mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7)}; }
LIMULUS_INLINE Lanes pair(Lanes low, Lanes up) {  // low halves of both: a word and the one after it
  return {_mm512_or_si512(_mm512_maskz_mov_epi32(0x5555, low.v), _mm512_slli_epi64(up.v, 32))};
}
LIMULUS_INLINE void store_words(Lanes w01, Lanes w23, std::uint32_t* words) {
  _mm512_storeu_si512(words, _mm512_unpacklo_epi64(w01.v, w23.v));
  _mm512_storeu_si512(words + 16, _mm512_unpackhi_epi64(w01.v, w23.v));
}
// v where the word is at or above the threshold, else 0
LIMULUS_INLINE Vec<float> kept(const std::uint32_t* words, std::uint32_t threshold, Vec<float> v) {
  const __m512i least = _mm512_set1_epi32(static_cast<int>(threshold));
  return {_mm512_maskz_mov_ps(_mm512_cmpge_epu32_mask(_mm512_loadu_si512(words), least), v.v)};
}
LIMULUS_INLINE Vec<double> kept(const std::uint32_t* words, std::uint32_t threshold,
                                Vec<double> v) {
  const __m256i w = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words));
  const __m256i least = _mm256_set1_epi32(static_cast<int>(threshold));
  return {_mm512_maskz_mov_pd(_mm256_cmpge_epu32_mask(w, least), v.v)};
}

}  // namespace limulus::cpu::LIMULUS_ISA

#pragma once
// One thin layer over the processor's vector registers.
//
// A kernel file is compiled once per instruction set, inside a namespace named by it (LIMULUS_ISA
// is `avx2` or `avx512`), and written once, over Vec<float> and Vec<double>. Vec<T>::width is how
// many lanes a register has: 8 floats or 4 doubles with AVX2, 16 or 8 with AVX-512.
//
// Everything here lives in the instruction set's namespace and is forced inline, so that no code
// compiled for AVX-512 can be picked by the linker for a processor that lacks it. For the same
// reason a kernel file instantiates no template of the standard library.
// GCC 12 takes the deliberately undefined registers of its own header for a mistake (bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop

#include <cstdint>

#include "core/dtype.h"

#define LIMULUS_INLINE inline __attribute__((always_inline))

namespace limulus::cpu::LIMULUS_ISA {

template <class T>
struct Vec;

#ifdef __AVX512F__

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

#else  // AVX2 and FMA

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

#endif

// A number of 16 bits is widened as it is loaded: bfloat16 is the upper half of a float.
LIMULUS_INLINE Vec<float> widen(const Bf16* p) {
#ifdef __AVX512F__
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16))};
#else
  const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16))};
#endif
}
LIMULUS_INLINE Vec<float> widen_n(const Bf16* p, int n) {
  Bf16 part[Vec<float>::width] = {};
  for (int i = 0; i < n; ++i) part[i] = p[i];
  return widen(part);
}
// For code that is written once for both: a type that is wide already is only loaded.
template <class T>
LIMULUS_INLINE Vec<T> widen(const T* p) {
  return Vec<T>::load(p);
}
template <class T>
LIMULUS_INLINE Vec<T> widen_n(const T* p, int n) {
  return Vec<T>::load_n(p, n);
}

// Whether a lane of the mask is set.
#ifdef __AVX512F__
LIMULUS_INLINE bool any(__mmask16 m) { return m != 0; }
LIMULUS_INLINE bool any(__mmask8 m) { return m != 0; }
#else
LIMULUS_INLINE bool any(Vec<float>::Mask m) { return _mm256_movemask_ps(m.v) != 0; }
LIMULUS_INLINE bool any(Vec<double>::Mask m) { return _mm256_movemask_pd(m.v) != 0; }
#endif

// sum + term, where `lost` holds what earlier additions rounded away, and is added back with the
// next term (Kahan, 1965). The error of a long sum is then that of two additions. An infinite sum
// has lost nothing that counts.
template <class T>
LIMULUS_INLINE Vec<T> add_compensated(Vec<T> sum, Vec<T> term, Vec<T>* lost) {
  const Vec<T> whole = term - *lost, result = sum + whole;
  const Vec<T> dropped = (result - sum) - whole;
  *lost = select(is_nan(dropped), Vec<T>::zero(), dropped);
  return result;
}
template <class T>
LIMULUS_INLINE T add_compensated(T sum, T term, T* lost) {
  const T whole = term - *lost, result = sum + whole;
  const T dropped = (result - sum) - whole;
  *lost = dropped == dropped ? dropped : T(0);  // NOLINT(misc-redundant-expression): NaN
  return result;
}

// The larger of a and b; b when they are equal or either is NaN.
template <class T>
LIMULUS_INLINE Vec<T> max(Vec<T> a, Vec<T> b) {
  return select(a > b, a, b);
}

// The sum of all lanes, always in the same order.
template <class T>
LIMULUS_INLINE T sum(Vec<T> a) {
  alignas(64) T lane[Vec<T>::width];
  a.store(lane);
  for (int half = Vec<T>::width / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
  return lane[0];
}

}  // namespace limulus::cpu::LIMULUS_ISA

#pragma once
// What max and average pooling share: which taps of a window lie inside the image, which windows
// lie inside altogether, and how a register is filled from every S-th element of a row.
#include "backends/cpu/kernels/simd/parallel.h"

namespace limulus::cpu::LIMULUS_ISA {

struct Range {
  std::int64_t begin, end;
  LIMULUS_INLINE std::int64_t count() const { return end - begin; }
};

// The taps f of window o with 0 <= o S - P + f D < N; may be empty.
LIMULUS_INLINE Range taps_inside(const Window1d& w, std::int64_t o) {
  const std::int64_t start = o * w.stride - w.pad;
  const std::int64_t begin = start < 0 ? smaller(w.kernel, ceil_div(-start, w.dilation)) : 0;
  const std::int64_t room = w.in - 1 - start;  // from the first tap to the last element
  const std::int64_t end = room < 0 ? 0 : smaller(w.kernel, room / w.dilation + 1);
  return {begin, larger(begin, end)};
}

// The windows o all of whose taps lie inside.
LIMULUS_INLINE Range windows_inside(const Window1d& w) {
  const std::int64_t begin = smaller(w.out, ceil_div(w.pad, w.stride));
  const std::int64_t room = w.in - 1 - (w.kernel - 1) * w.dilation + w.pad;
  const std::int64_t end = room < 0 ? 0 : smaller(w.out, room / w.stride + 1);
  return {begin, larger(begin, end)};
}

// A lane per window: lanes 0 .. n - 1 hold p[0], p[S], p[2S] ...; nothing beyond p[(n - 1) S] is
// read. S = 2 (AlexNet's pools) merges the even elements of two loads, the second of which begins
// one element early, so that it ends with the last element needed. A template argument of 0 takes
// any stride, one lane at a time.
#ifdef __AVX512F__
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
#else
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
#endif

template <int S, class T>
LIMULUS_INLINE Vec<T> load_strided(const T* p, int n, std::int64_t stride) {
  constexpr int width = Vec<T>::width;
  if constexpr (S == 1) {
    return n == width ? Vec<T>::load(p) : Vec<T>::load_n(p, n);
  } else if constexpr (S == 2) {
    if (n == width) return merge_even(Vec<T>::load(p), Vec<T>::load(p + width - 1));
    const int first = 2 * n - 1 < width ? 2 * n - 1 : width;
    const int second = 2 * n > width ? 2 * n - width : 0;
    return merge_even(Vec<T>::load_n(p, first), Vec<T>::load_n(p + width - 1, second));
  } else {
    alignas(64) T lane[width] = {};
    for (int i = 0; i < n; ++i) lane[i] = p[i * stride];
    return Vec<T>::load(lane);
  }
}

// How many lanes to fill for the n windows left at the end of a row, the last tap of which begins
// at p + offset: all, where that reads on into the next row but not past the end of the array. The
// lanes beyond n are never stored; and full loads take a third of the time of partial ones.
template <int S, class T>
LIMULUS_INLINE int lanes_to_load(const T* p, std::int64_t offset, int n, const T* array_end) {
  return S != 0 && array_end - p >= offset + S * Vec<T>::width ? Vec<T>::width : n;
}

}  // namespace limulus::cpu::LIMULUS_ISA

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

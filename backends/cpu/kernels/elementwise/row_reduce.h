#pragma once
// Sum and maximum of a row in a fixed order, for reductions and for softmax.
//
// Four registers accumulate in turn (an addition takes 3 to 4 cycles; four of them overlap), then
// are folded into one, which takes the rest of the row, lane by lane; then the lanes are halved
// until one is left. The order depends on the length alone. It is also accurate: 4 x 16 partial
// sums of n/64 terms each have an error that grows with n/64 instead of n.
#include "backends/cpu/kernels/simd/parallel.h"
#include "backends/cpu/kernels/simd/simd_math.h"

namespace limulus::cpu::LIMULUS_ISA {

struct Add {
  template <class T>
  static LIMULUS_INLINE T empty() {
    return 0;
  }
  template <class T>
  LIMULUS_INLINE T operator()(T a, T b) const {
    return a + b;
  }
};
struct Larger {  // a NaN is larger than every number
  template <class T>
  static LIMULUS_INLINE T empty() {
    return static_cast<T>(-__builtin_inf());
  }
  template <class T>
  LIMULUS_INLINE T operator()(T a, T b) const {
    return a > b || a != a ? a : b;  // NOLINT(misc-redundant-expression): NaN differs from itself
  }
  template <class T>
  LIMULUS_INLINE Vec<T> operator()(Vec<T> a, Vec<T> b) const {
    return select(mask_or(a > b, is_nan(a)), a, b);
  }
};

template <class Op, class T>
LIMULUS_INLINE T reduce_row(Op op, const T* x, std::int64_t n) {
  using V = Vec<T>;
  const V empty = V::set(Op::template empty<T>());
  V acc[4] = {empty, empty, empty, empty};
  std::int64_t i = 0;
  for (; i + 4 * V::width <= n; i += 4 * V::width) {
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) acc[k] = op(acc[k], V::load(x + i + k * V::width));
  }
  V total = op(op(acc[0], acc[1]), op(acc[2], acc[3]));
  for (; i + V::width <= n; i += V::width) total = op(total, V::load(x + i));
  alignas(64) T lane[V::width];
  total.store(lane);
  for (std::int64_t j = 0; i + j < n; ++j) lane[j] = op(lane[j], x[i + j]);
  for (int half = V::width / 2; half > 0; half /= 2)
    for (int j = 0; j < half; ++j) lane[j] = op(lane[j], lane[j + half]);
  return lane[0];
}

// The sum of a row of any length: pieces of 8192, each of which is chains of 128 additions (256
// with AVX2), and their sums in double.
template <class T>
LIMULUS_INLINE double sum_in_pieces(const T* x, std::int64_t n) {
  constexpr std::int64_t piece = 8192;
  double total = 0;
  for (std::int64_t i = 0; i < n; i += piece)
    total += static_cast<double>(reduce_row(Add{}, x + i, smaller(piece, n - i)));
  return total;
}

}  // namespace limulus::cpu::LIMULUS_ISA

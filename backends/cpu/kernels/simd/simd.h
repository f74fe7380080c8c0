#pragma once
// One thin layer over the processor's vector registers.
//
// A kernel file is compiled once per instruction set, inside a namespace named by it (LIMULUS_ISA
// is `avx2` or `avx512`, on ARM `neon`), and written once, over Vec<float> and Vec<double>.
// Vec<T>::width is how many lanes a register has: 8 floats or 4 doubles with AVX2, 16 or 8 with
// AVX-512. What differs is one text for each: avx2.h, avx512.h, neon.h have the same names.
//
// Everything here lives in the instruction set's namespace and is forced inline, so that no code
// compiled for AVX-512 can be picked by the linker for a processor that lacks it. For the same
// reason a kernel file instantiates no template of the standard library.
#if defined(__AVX512F__)
#include "backends/cpu/kernels/simd/avx512.h"
#elif defined(__aarch64__)
#include "backends/cpu/kernels/simd/neon.h"
#else
#include "backends/cpu/kernels/simd/avx2.h"
#endif

namespace limulus::cpu::LIMULUS_ISA {

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

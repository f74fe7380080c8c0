#pragma once
// The register tile: the few lines in which nearly all of AlexNet's time is spent.
//
// A matrix product does 2 m n k operations on m k + k n + m n numbers. A number that was fetched
// must therefore be used many times before it is let go, and the fastest place to keep one is a
// register. The micro-kernel holds a tile of C, `rows` x `cols`, in registers for the whole sum
// over k, and adds one outer product per step:
//
//     acc[r][j] += a[r][p] b[p][j]        for p = 0 .. depth - 1
//
// A step loads `cols` numbers of B as vectors and `rows` numbers of A, each spread over all lanes
// of a register, and does rows * cols / width multiply-adds. The processor starts two of those a
// cycle, each takes four, so at least eight must be under way: the tile must be large. It must also
// fit: AVX-512 has 32 registers, 14 x 2 for the tile, 2 for B and 1 for A; AVX2 has 16, 6 x 2 + 3.
//
// Measured on one core of an AMD EPYC (Zen 5, AVX-512), panels in L1 and L2: 14 x 32 runs at 265 of
// the 270 GFLOP/s that bare multiply-adds reach, 6 x 16 with AVX2 at 135 of 135.
//
// The panels of A and B that it reads were packed (pack.h): B as `cols` numbers per step, one step
// after the other; A row by row, each row `row_stride` long. That is a constant of the program, so
// that the address of a[r][p] is a register plus a number inside the instruction. A row-by-row
// panel costs a plain copy to pack; the panels of most libraries (all rows of a step together)
// would ask for a transposition, which costs three times as much.
//
// Winograd's products are made by this tile, too. rows_in_place.cpp has the only other one, since
// it reads rows that nobody packed: their distance is known only when it runs.
#include <cstdint>

#include "backends/cpu/kernels/simd/simd.h"

namespace limulus::cpu::LIMULUS_ISA {

template <class T>
struct Blocking {
  static constexpr int width = Vec<T>::width;
  static constexpr int cols = 2 * width;
#ifdef __AVX512F__
  static constexpr int rows = 14;
#else
  static constexpr int rows = 6;
#endif
  // Steps of k per pass. A panel of B is depth * cols: 48 KB (AVX-512) or 24 KB (AVX2) of L1; the
  // tile is loaded and stored once per pass, which 384 steps make a small cost.
  static constexpr int depth = 1536 / static_cast<int>(sizeof(T));
  // 25 cache lines: neighbouring rows fall into different sets of L1.
  static constexpr int row_stride = depth + 64 / static_cast<int>(sizeof(T));
  // Rows of A packed at once: 12 panels of 14 are 269 KB, 28 of 6 the same. They stay in L2 while
  // every panel of B passes by.
  static constexpr int block_rows = 168;
};

// Where a tile goes. The first pass over k stores (plus the bias of each row, if there is one), the
// others add; the last one may clamp at 0 (fused ReLU).
template <class T>
struct Target {
  T* c;
  std::int64_t ldc;
  int cols;  // 1 .. Blocking<T>::cols
  bool add;
  const T* bias;  // one per row, or null
  bool stream = false;
  bool relu = false;
};

// Where a step of B comes from: a packed panel ...
template <class T>
struct PackedB {
  const T* panel;

  LIMULUS_INLINE Vec<T> load(std::int64_t p, int v) const {
    return Vec<T>::load(panel + p * Blocking<T>::cols + v * Vec<T>::width);
  }
};

// ... or the rows of a matrix in memory, `ld` apart. The first tile that needs a panel reads it so,
// and leaves it packed for the others: two more stores a step, where packing beforehand would read
// all of it, and wait for memory, with nothing to multiply meanwhile. Rows are asked for well
// before they are needed: a step takes 14 cycles, memory some 400.
template <class T>
struct StoredRows {
  static constexpr std::int64_t ahead = 32;
  const T* b;
  std::int64_t ld;
  T* panel;

  LIMULUS_INLINE Vec<T> load(std::int64_t p, int v) const {
    const T* from = b + p * ld + v * Vec<T>::width;
    __builtin_prefetch(from + ahead * ld);
    const Vec<T> x = Vec<T>::load(from);
    x.store(panel + p * Blocking<T>::cols + v * Vec<T>::width);
    return x;
  }
};

// `TransposedA`: a is stored transposed, each step's rows together, the steps row_stride apart.
// Such a step is a new cache line, too far from the last to be foreseen: it is prefetched.
template <class T, int Rows, int Vectors, bool TransposedA, class B>
void multiply_tile(std::int64_t depth, const T* a, const B b, const Target<T>& to) {
  using V = Vec<T>;
  constexpr int stride_a = Blocking<T>::row_stride;
  V acc[Rows][Vectors];
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) acc[r][v] = V::zero();
  // The tile of C is wanted in a few thousand cycles, and may come from memory: ask for it now.
  if (!to.stream) {
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
      __builtin_prefetch(to.c + r * to.ldc, 1);
      __builtin_prefetch(to.c + r * to.ldc + to.cols - 1, 1);
    }
  }

#pragma GCC unroll 2
  for (std::int64_t p = 0; p < depth; ++p) {
    V row_b[Vectors];
    if (TransposedA) __builtin_prefetch(a + (p + 16) * stride_a);
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) row_b[v] = b.load(p, v);
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
      const V x = V::set(a[TransposedA ? p * stride_a + r : r * stride_a + p]);
#pragma GCC unroll 2
      for (int v = 0; v < Vectors; ++v) acc[r][v] = fma(x, row_b[v], acc[r][v]);
    }
  }

  const int last = to.cols - (Vectors - 1) * V::width;  // lanes of the last vector in use
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) {
    T* c = to.c + r * to.ldc;
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v, c += V::width) {
      const int lanes = v + 1 < Vectors ? V::width : last;
      V sum = acc[r][v];
      if (lanes == V::width) {
        if (to.add) sum = sum + V::load(c);
        if (to.bias) sum = sum + V::set(to.bias[r]);
        if (to.relu) sum = select(V::zero() > sum, V::zero(), sum);  // NaN stays
        if (to.stream)
          sum.stream(c);
        else
          sum.store(c);
      } else {
        if (to.add) sum = sum + V::load_n(c, lanes);
        if (to.bias) sum = sum + V::set(to.bias[r]);
        if (to.relu) sum = select(V::zero() > sum, V::zero(), sum);
        sum.store_n(c, lanes);
      }
    }
  }
}

// The tile of the right height: the last panel of a matrix may have fewer rows. Its sums are formed
// in the same order, so that where a matrix is cut does not show in the result.
template <class T, bool TransposedA = false, int Rows = Blocking<T>::rows, class B>
LIMULUS_INLINE void multiply_tile(int rows, std::int64_t depth, const T* a, const B& b,
                                  const Target<T>& to) {
  if constexpr (Rows > 0) {
    if (rows != Rows) return multiply_tile<T, TransposedA, Rows - 1>(rows, depth, a, b, to);
    if (to.cols > Blocking<T>::width)
      multiply_tile<T, Rows, 2, TransposedA>(depth, a, b, to);
    else
      multiply_tile<T, Rows, 1, TransposedA>(depth, a, b, to);
  }
}
template <class T, bool TransposedA = false>
LIMULUS_INLINE void multiply_tile(int rows, std::int64_t depth, const T* a, const T* b,
                                  const Target<T>& to) {
  multiply_tile<T, TransposedA>(rows, depth, a, PackedB<T>{b}, to);
}

}  // namespace limulus::cpu::LIMULUS_ISA

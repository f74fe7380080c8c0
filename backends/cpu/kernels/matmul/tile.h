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
  static constexpr int rows = tile_rows;
  // Steps of k per pass. A panel of B is depth * cols: 48 KB (AVX-512) or 24 KB (AVX2) of L1; the
  // tile is loaded and stored once per pass, which 384 steps make a small cost.
  static constexpr int depth = 1536 / static_cast<int>(sizeof(T));
  // 25 cache lines: neighbouring rows fall into different sets of L1.
  static constexpr int row_stride = depth + 64 / static_cast<int>(sizeof(T));
  // Rows of A packed at once: 12 panels of 14 are 269 KB, 28 of 6 the same. They stay in L2 while
  // every panel of B passes by.
  static constexpr int block_rows = 168;
};

// Where a tile goes: to a part of a matrix. The first pass over k stores (plus the bias of each
// row, if there is one), the others add; the last one may clamp at 0 (fused ReLU) ...
template <class T>
struct Target {
  using V = Vec<T>;
  T* c;
  std::int64_t ldc;
  int cols;  // 1 .. Blocking<T>::cols
  bool add;
  const T* bias;  // one per row, or null
  bool stream = false;
  bool relu = false;

  // The tile is wanted in a few thousand cycles, and may come from memory: ask for it now.
  LIMULUS_INLINE void prefetch(int r) const {
    if (stream) return;
    __builtin_prefetch(c + r * ldc, 1);
    __builtin_prefetch(c + r * ldc + cols - 1, 1);
  }
  template <int Vectors>
  LIMULUS_INLINE void put(int r, const V* sums) const {
    const int last = cols - (Vectors - 1) * V::width;  // lanes of the last vector in use
    T* to = c + r * ldc;
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v, to += V::width) {
      const int lanes = v + 1 < Vectors ? V::width : last;
      V sum = sums[v];
      if (lanes == V::width) {
        if (add) sum = sum + V::load(to);
        if (bias) sum = sum + V::set(bias[r]);
        if (relu) sum = select(V::zero() > sum, V::zero(), sum);  // NaN stays
        if (stream)
          sum.stream(to);
        else
          sum.store(to);
      } else {
        if (add) sum = sum + V::load_n(to, lanes);
        if (bias) sum = sum + V::set(bias[r]);
        if (relu) sum = select(V::zero() > sum, V::zero(), sum);
        sum.store_n(to, lanes);
      }
    }
  }
};

// ... or to a panel in a cache, its rows one behind the other, in whole registers. A sum of few
// steps is over so soon that Target's questions show: the products of conv1, sums of 48 steps by
// Winograd's method, took a tenth longer with them.
template <class T>
struct PackedC {
  using V = Vec<T>;
  T* panel;
  int cols;
  bool add;

  LIMULUS_INLINE void prefetch(int) const {}
  template <int Vectors>
  LIMULUS_INLINE void put(int r, const V* sums) const {
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) {
      T* to = panel + r * Blocking<T>::cols + v * V::width;
      (add ? sums[v] + V::load(to) : sums[v]).store(to);
    }
  }
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

// Rows of a are `Stride` apart; or, `TransposedA`, its columns are: each step's rows lie together.
// Where such steps are far apart, each is a new cache line that the processor cannot foresee: it is
// prefetched.
template <class T, int Rows, int Vectors, bool TransposedA, int Stride, class B, class To>
void multiply_tile(std::int64_t depth, const T* a, const B b, const To& to) {
  using V = Vec<T>;
  constexpr bool prefetch_a = TransposedA && Stride * sizeof(T) > 1024;
  V acc[Rows][Vectors];
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) acc[r][v] = V::zero();
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) to.prefetch(r);

#pragma GCC unroll 2
  for (std::int64_t p = 0; p < depth; ++p) {
    V row_b[Vectors];
    if (prefetch_a) __builtin_prefetch(a + (p + 16) * Stride);
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) row_b[v] = b.load(p, v);
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
      const V x = V::set(a[TransposedA ? p * Stride + r : r * Stride + p]);
#pragma GCC unroll 2
      for (int v = 0; v < Vectors; ++v) acc[r][v] = fma(x, row_b[v], acc[r][v]);
    }
  }

#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) to.template put<Vectors>(r, acc[r]);
}

// The tile of the right height: the last panel of a matrix may have fewer rows. Its sums are formed
// in the same order, so that where a matrix is cut does not show in the result.
template <class T, bool TransposedA = false, int Stride = Blocking<T>::row_stride,
          int Rows = Blocking<T>::rows, class B, class To>
LIMULUS_INLINE void multiply_tile(int rows, std::int64_t depth, const T* a, const B& b,
                                  const To& to) {
  if constexpr (Rows > 0) {
    if (rows != Rows) return multiply_tile<T, TransposedA, Stride, Rows - 1>(rows, depth, a, b, to);
    if (to.cols > Blocking<T>::width)
      multiply_tile<T, Rows, 2, TransposedA, Stride>(depth, a, b, to);
    else
      multiply_tile<T, Rows, 1, TransposedA, Stride>(depth, a, b, to);
  }
}
template <class T, class To>
LIMULUS_INLINE void multiply_tile(int rows, std::int64_t depth, const T* a, const T* b,
                                  const To& to) {
  multiply_tile<T>(rows, depth, a, PackedB<T>{b}, to);
}

}  // namespace limulus::cpu::LIMULUS_ISA

#pragma once
// Packing: copying blocks of a matrix into the order in which the register tile reads them.
//
// A copy costs a load and a store for `width` numbers, a few hundredths of a cycle each; a number
// is then used a hundred times or more. What the copy buys is that all later accesses are
// consecutive: no page is touched for the sake of a few numbers, and no two rows fight for one set
// of the cache, as rows that lie 36,864 bytes apart (a weight of 9216 columns) would.
#include <cstdint>

#include "backends/cpu/kernels/matmul/tile.h"
#include "backends/cpu/kernels/simd/parallel.h"

namespace limulus::cpu::LIMULUS_ISA {

constexpr std::int64_t round_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b * b; }

// Reads and writes only what it must: rows may end where memory ends. What lies `ahead` is asked
// for meanwhile: a weight comes from memory, in runs too short for the processor to foresee the
// next. (A prefetch of an address that does not exist does nothing.)
template <class T>
LIMULUS_INLINE void copy_row(std::int64_t n, const T* src, T* dst, std::int64_t ahead = 0) {
  using V = Vec<T>;
  std::int64_t i = 0;
  for (; i + V::width <= n; i += V::width) {
    if (ahead != 0) __builtin_prefetch(src + i + ahead);
    V::load(src + i).store(dst + i);
  }
  for (; i < n; ++i) dst[i] = src[i];
}

// dst[j][i] = src[i][j], i < rows, j < cols. Inlined, since the caller often knows a distance when
// it is compiled (a register's width): conv1's outputs are 2 % faster for it.
template <class T>
LIMULUS_INLINE void transpose(std::int64_t rows, std::int64_t cols, const T* src, std::int64_t lds,
                              T* dst, std::int64_t ldd) {
  constexpr int side = 32 / sizeof(T);
  std::int64_t i = 0;
  for (; i + side <= rows; i += side) {
    std::int64_t j = 0;
    for (; j + side <= cols; j += side)
      transpose_square(src + i * lds + j, lds, dst + j * ldd + i, ldd);
    for (; j < cols; ++j)
      for (int u = 0; u < side; ++u) dst[j * ldd + i + u] = src[(i + u) * lds + j];
  }
  for (; i < rows; ++i)
    for (std::int64_t j = 0; j < cols; ++j) dst[j * ldd + i] = src[i * lds + j];
}

// Columns that a panel of B has and the matrix has not, `first` and those behind it, become zeros.
// The tile multiplies them like the others, since it works on whole registers, and nobody looks at
// the products; but what was left there may be denormal numbers, and those take some processors 100
// cycles.
template <class T>
[[gnu::noinline]] void clear_columns(std::int64_t first, std::int64_t depth, T* panel) {
  constexpr int cols = Blocking<T>::cols;
  if (first >= cols) return;
  for (std::int64_t s = 0; s < depth; ++s, panel += cols)
    for_lanes<T>(first, cols, [=](auto at) { at.store(panel, Vec<T>::zero()); });
}

// op(A) of a matrix that lies in memory, [m, k] or, transposed, [k, m].
template <class T>
struct StoredA {
  const T* a;
  std::int64_t lda;
  bool trans;

  // Rows i .. i + rows, steps p .. p + depth  ->  dst, row by row, row_stride apart
  void pack(std::int64_t i, std::int64_t rows, std::int64_t p, std::int64_t depth, T* dst) {
    constexpr int stride = Blocking<T>::row_stride;
    if (trans)
      transpose(depth, rows, a + p * lda + i, lda, dst, stride);
    else
      for (std::int64_t r = 0; r < rows; ++r)
        copy_row(depth, a + (i + r) * lda + p, dst + r * stride, 4 * lda);
  }
};

// op(B) of a matrix that lies in memory, [k, n] or, transposed, [n, k].
template <class T>
struct StoredB {
  const T* b;
  std::int64_t ldb;
  bool trans;

  // Whether a panel that is full can be read by its first tile (tile.h), and from where.
  bool has_rows() const { return !trans; }
  StoredRows<T> rows(std::int64_t p, std::int64_t j, T* panel) const {
    return {b + p * ldb + j, ldb, panel};
  }

  // Steps p .. p + depth, columns j .. j + n  ->  panels of Blocking::cols columns, each depth
  // long. The columns beyond n of the last panel are zeros.
  void pack(std::int64_t p, std::int64_t depth, std::int64_t j, std::int64_t n, T* dst) {
    constexpr int cols = Blocking<T>::cols;
    if (trans) {
      for (std::int64_t q = 0; q < n; q += cols, dst += depth * cols) {
        transpose(smaller(cols, n - q), depth, b + (j + q) * ldb + p, ldb, dst, cols);
        clear_columns(n - q, depth, dst);
      }
      return;
    }
    for (std::int64_t s = 0; s < depth; ++s) {  // along whole rows: few pages at a time
      const T* row = b + (p + s) * ldb + j;
      T* to = dst + s * cols;
      std::int64_t q = 0;
      for (; q + cols <= n; q += cols, to += depth * cols) {
        __builtin_prefetch(row + q + 4 * ldb);
        __builtin_prefetch(row + q + 4 * ldb + Vec<T>::width);
        Vec<T>::load(row + q).store(to);
        Vec<T>::load(row + q + Vec<T>::width).store(to + Vec<T>::width);
      }
      copy_row(n - q, row + q, to);
    }
    if (n % cols != 0) clear_columns(n % cols, depth, dst + n / cols * depth * cols);
  }
};

}  // namespace limulus::cpu::LIMULUS_ISA

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

// A square of 8 x 8 floats, or 4 x 4 doubles, transposed in registers: three (two) rounds of
// shuffles, 24 (8) in all, so about a quarter of a cycle per number. 256-bit registers serve both
// instruction sets.
LIMULUS_INLINE void transpose_square(const float* src, std::int64_t lds, float* dst,
                                     std::int64_t ldd) {
  __m256 r[8], t[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) r[i] = _mm256_loadu_ps(src + i * lds);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {  // pairs of rows: a0 b0 a1 b1 | ...
    t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {  // four rows: a0 b0 c0 d0 | a4 b4 c4 d4 ...
    r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
    r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {  // eight rows
    _mm256_storeu_ps(dst + i * ldd, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
    _mm256_storeu_ps(dst + (i + 4) * ldd, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
  }
}
LIMULUS_INLINE void transpose_square(const double* src, std::int64_t lds, double* dst,
                                     std::int64_t ldd) {
  const __m256d a = _mm256_loadu_pd(src), b = _mm256_loadu_pd(src + lds);
  const __m256d c = _mm256_loadu_pd(src + 2 * lds), d = _mm256_loadu_pd(src + 3 * lds);
  const __m256d ab0 = _mm256_unpacklo_pd(a, b), ab1 = _mm256_unpackhi_pd(a, b);
  const __m256d cd0 = _mm256_unpacklo_pd(c, d), cd1 = _mm256_unpackhi_pd(c, d);
  _mm256_storeu_pd(dst, _mm256_permute2f128_pd(ab0, cd0, 0x20));
  _mm256_storeu_pd(dst + ldd, _mm256_permute2f128_pd(ab1, cd1, 0x20));
  _mm256_storeu_pd(dst + 2 * ldd, _mm256_permute2f128_pd(ab0, cd0, 0x31));
  _mm256_storeu_pd(dst + 3 * ldd, _mm256_permute2f128_pd(ab1, cd1, 0x31));
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

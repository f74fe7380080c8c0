// C = A B^T + beta C where A [m, k] or B [n, k] has at most a few rows: inner products.
//
// With one image, a fully connected layer multiplies each of its weights once. Nothing is used
// twice, so registers and caches have nothing to give: the time is that of reading the weights from
// memory (AlexNet's three layers: 58.6 M floats, 234 MB), and all one can do is to read each byte
// once, in long runs, with several runs under way for the prefetchers to follow. So the long matrix
// is read in its place, four rows at a time, and each vector of it is used for all rows of the
// short one:
//
//     acc[l][q] += long[l][p .. p + width] * short[q][p .. p + width],   c = sum of acc's lanes
#include "backends/cpu/kernels/matrix_kernels.h"
#include "backends/cpu/kernels/parallel.h"

namespace limulus::cpu::LIMULUS_ISA {
namespace {

constexpr int rows_at_once = 4;

// out[l * stride_l + q * stride_q] for `Long` rows of the long matrix and `Short` of the short one.
template <class T, int Long, int Short>
void dot_tile(std::int64_t k, const T* x, std::int64_t ldx, const T* y, std::int64_t ldy, T* out,
              std::int64_t stride_l, std::int64_t stride_q, bool add) {
  using V = Vec<T>;
  V acc[Long][Short];
#pragma GCC unroll 4
  for (int l = 0; l < Long; ++l)
#pragma GCC unroll 2
    for (int q = 0; q < Short; ++q) acc[l][q] = V::zero();
  std::int64_t p = 0;
  for (; p + V::width <= k; p += V::width) {
    V short_row[Short];
#pragma GCC unroll 2
    for (int q = 0; q < Short; ++q) short_row[q] = V::load(y + q * ldy + p);
#pragma GCC unroll 4
    for (int l = 0; l < Long; ++l) {
      const V long_row = V::load(x + l * ldx + p);
#pragma GCC unroll 2
      for (int q = 0; q < Short; ++q) acc[l][q] = fma(long_row, short_row[q], acc[l][q]);
    }
  }
  if (const int rest = static_cast<int>(k - p); rest > 0)
    for (int l = 0; l < Long; ++l)
      for (int q = 0; q < Short; ++q)
        acc[l][q] =
            fma(V::load_n(x + l * ldx + p, rest), V::load_n(y + q * ldy + p, rest), acc[l][q]);
  for (int l = 0; l < Long; ++l)
    for (int q = 0; q < Short; ++q) {
      T* c = out + l * stride_l + q * stride_q;
      *c = (add ? *c : T(0)) + sum(acc[l][q]);
    }
}

}  // namespace

template <class T>
void gemm_dot(const Context& ctx, const GemmShape& s, const T* a, const T* b, T* c) {
  const bool long_b = s.n >= s.m;
  const T *x = long_b ? b : a, *y = long_b ? a : b;
  const std::int64_t rows = long_b ? s.n : s.m, few = long_b ? s.m : s.n;
  const std::int64_t ldx = long_b ? s.ldb : s.lda, ldy = long_b ? s.lda : s.ldb;
  const std::int64_t stride_l = long_b ? 1 : s.ldc, stride_q = long_b ? s.ldc : 1;
  const bool add = s.beta != 0;

  constexpr std::int64_t task_rows = 32;
  const std::int64_t bytes = rows * s.k * static_cast<std::int64_t>(sizeof(T));
  parallel_for(ctx, ceil_div(rows, task_rows), bytes, [=, k = s.k](std::int64_t task, int) {
    const std::int64_t end = smaller(rows, (task + 1) * task_rows);
    for (std::int64_t l = task * task_rows; l < end;) {
      const bool four = l + rows_at_once <= end;
      for (std::int64_t q = 0; q < few;) {
        const bool two = q + 2 <= few;
        const auto tile = four ? (two ? dot_tile<T, rows_at_once, 2> : dot_tile<T, rows_at_once, 1>)
                               : (two ? dot_tile<T, 1, 2> : dot_tile<T, 1, 1>);
        tile(k, x + l * ldx, ldx, y + q * ldy, ldy, c + l * stride_l + q * stride_q, stride_l,
             stride_q, add);
        q += two ? 2 : 1;
      }
      l += four ? rows_at_once : 1;
    }
  });
}

template void gemm_dot<float>(const Context&, const GemmShape&, const float*, const float*, float*);
template void gemm_dot<double>(const Context&, const GemmShape&, const double*, const double*,
                               double*);

}  // namespace limulus::cpu::LIMULUS_ISA

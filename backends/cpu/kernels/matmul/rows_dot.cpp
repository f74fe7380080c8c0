// y = x w^T for a few rows of x: inner products, and the whole of w read where it lies.
//
// With one image, a fully connected layer multiplies each of its weights once. Nothing is used
// twice, so registers and caches have nothing to give, and no kernel can be faster than
//
//     time  >=  bytes of w / bandwidth of memory
//
// AlexNet's three layers have 58.6 M weights, 234 MB: 2.5 ms where memory delivers 94 GB/s, while
// the arithmetic would take 0.2 ms. (This is the roofline: 2 n operations for the 4 bytes of a
// weight, times bandwidth, meet this processor's 539 GFLOP/s at n = 11.5. Up to there a batch could
// cost what one image costs.) All one can do is to read each byte once, in long runs, several at a
// time. Measured (AMD EPYC, Zen 5, 2 cores; w of 151 MB in huge pages), GB/s with 1 and 2 threads:
//
//     rows of w at once      1           2           4           8
//                         38, 74      44, 90      46, 98      38, 86
//
// Four rows keep more cache lines on their way than one; eight are more than the prefetchers
// follow. Prefetch instructions, for any level and distance, made four rows slower (40 to 45 and
// 76 to 91): the hardware already asks for what it can. So the tile below is four rows of w by all
// rows of x, and each vector of w is used for every row of x:
//
//     acc[l][q] += w[l][i .. i + width] * x[q][i .. i + width],      y[q][l] = sum of acc's lanes
//
// A long row is taken in pieces, so that no lane adds more than 256 products: the error of a sum
// grows with its longest chain of additions. The pieces' sums are added in double.
#include "backends/cpu/kernels/matrix_kernels.h"
#include "backends/cpu/kernels/simd/parallel.h"

namespace limulus::cpu::LIMULUS_ISA {
namespace {

constexpr int most = few_rows;

// Weights of 16 bits take two instructions more to widen, so that the processor, which looks a few
// hundred instructions ahead, sees fewer bytes coming. Here asking 2 KB ahead does pay (FC6 and FC7
// on 2 threads: 2.3 ms without, 1.6 with; in f32 2.4).
constexpr std::int64_t ahead = 1024;

// Rows of w at once, for so many rows of x: the sums must leave registers for the factors.
constexpr int rows_of_w(int few) { return sizeof(Vec<float>) == 64 || few <= 2 ? 4 : 3; }

// The same for elements [i, end) of `Long` rows of w and `Few` rows of x: total[l][f] += their
// products.
template <class T, class W, int Long, int Few>
LIMULUS_INLINE void dot_piece(const RowProducts<T>& s, const W* w, const T* x, std::int64_t i,
                              std::int64_t end, double (&total)[Long][Few]) {
  using V = Vec<T>;
  V acc[Long][Few];
#pragma GCC unroll 4
  for (int l = 0; l < Long; ++l)
#pragma GCC unroll 4
    for (int f = 0; f < Few; ++f) acc[l][f] = V::zero();
  for (; i + V::width <= end; i += V::width) {
    V row_w[Long];
#pragma GCC unroll 4
    for (int l = 0; l < Long; ++l) {
      if (sizeof(W) < sizeof(T)) __builtin_prefetch(w + l * s.ldw + i + ahead);
      row_w[l] = widen(w + l * s.ldw + i);
    }
#pragma GCC unroll 4
    for (int f = 0; f < Few; ++f) {
      const V row_x = V::load(x + f * s.ldx + i);
#pragma GCC unroll 4
      for (int l = 0; l < Long; ++l) acc[l][f] = fma(row_w[l], row_x, acc[l][f]);
    }
  }
  if (const int rest = static_cast<int>(end - i); rest > 0)
    for (int l = 0; l < Long; ++l)
      for (int f = 0; f < Few; ++f)
        acc[l][f] =
            fma(widen_n(w + l * s.ldw + i, rest), V::load_n(x + f * s.ldx + i, rest), acc[l][f]);
  for (int l = 0; l < Long; ++l)
    for (int f = 0; f < Few; ++f) total[l][f] += static_cast<double>(sum(acc[l][f]));
}

// `Long` rows of w from row o on times `Few` rows of x from q on: Long * Few inner products.
template <class T, class W, int Long, int Few>
void dot_tile(const RowProducts<T>& s, const W* w, std::int64_t o, std::int64_t q) {
  constexpr std::int64_t piece = 256 * Vec<T>::width;
  double total[Long][Few] = {};
  for (std::int64_t i = 0; i < s.in; i += piece)
    dot_piece<T, W, Long, Few>(s, w + o * s.ldw, s.x + q * s.ldx, i, smaller(s.in, i + piece),
                               total);
  for (int l = 0; l < Long; ++l)
    for (int f = 0; f < Few; ++f) {
      T* y = s.y + (q + f) * s.ldy + (o + l) * s.step;
      T value = static_cast<T>(total[l][f]);
      if (s.bias) value += s.bias[o + l];
      if (s.add) value += *y;
      *y = s.relu && value < 0 ? T(0) : value;
    }
}

// Rows o .. end of w times `few` rows of x.
template <class T, class W, int Few = most>
LIMULUS_INLINE void dot_rows(const RowProducts<T>& s, const W* w, std::int64_t o, std::int64_t end,
                             std::int64_t q, std::int64_t few) {
  if constexpr (Few > 0) {
    if (few != Few) return dot_rows<T, W, Few - 1>(s, w, o, end, q, few);
    constexpr int at_once = rows_of_w(Few);
    for (; o + at_once <= end; o += at_once) dot_tile<T, W, at_once, Few>(s, w, o, q);
    for (; o < end; ++o) dot_tile<T, W, 1, Few>(s, w, o, q);
  }
}

}  // namespace

template <class T, class W>
void rows_dot(const Context& ctx, const RowProducts<T>& s, const W* w) {
  constexpr std::int64_t task_rows = 48;  // a multiple of 3 and 4; 1.7 MB of FC6's weight
  const std::int64_t bytes = s.out * s.in * static_cast<std::int64_t>(sizeof(W));
  parallel_for(ctx, ceil_div(s.out, task_rows), bytes, [=](std::int64_t task, int) {
    const std::int64_t o = task * task_rows, end = smaller(s.out, o + task_rows);
    for (std::int64_t q = 0; q < s.n; q += most)
      dot_rows<T>(s, w, o, end, q, smaller(most, s.n - q));
  });
}

template void rows_dot<float>(const Context&, const RowProducts<float>&, const float*);
template void rows_dot<float>(const Context&, const RowProducts<float>&, const Bf16*);
template void rows_dot<double>(const Context&, const RowProducts<double>&, const double*);

}  // namespace limulus::cpu::LIMULUS_ISA

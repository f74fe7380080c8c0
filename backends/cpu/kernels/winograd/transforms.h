#pragma once
// Winograd's convolution: 3 x 3 and 5 x 5 filters with a fifth of the multiplications. This file
// has the transforms of one tile. docs/performance/winograd.md derives the method, from four
// numbers in one dimension to a tile of AlexNet's; in short,
//
//     Y = A^T [ (G g G^T) * (B^T d B) ] A,        * entry by entry:
//
// d, a tile of pixels, and g, a filter, are brought to some points, where a convolution is a
// product of numbers; A^T comes back to the outputs. (Winograd, "Arithmetic Complexity of
// Computations", 1980; Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016.)
// The sum over input channels is taken before the way back, since A is linear: for each point a
// matrix product [tiles, c] x [c, k], which is what the register tile is for.
//
// There are always seven points, three pairs +-p and infinity: a tile sees 7 x 7 pixels, and takes
// 49 multiplications for each pair of channels. That is
//     F(5x5, 3x3):  5 x 5 outputs of 3 x 3 taps, 225 multiplications before: 4.6 times fewer,
//     F(3x3, 5x5):  3 x 3 outputs of 5 x 5 taps, 225 as well.
// B belongs to the points alone and serves both; A and G have the same form (the powers of the
// points), so that three small functions do everything: `input_points` (B^T), `values` (a
// polynomial at the points: G, and A for the weight gradient) and `moments` (its transpose: A^T,
// G^T). The divisors that belong to each point are part of B, here and in the OpenCL kernels.
//
// As numbers, rows in the order +1/4, -1/4, +7/8, -7/8, +7/4, -7/4, infinity
// (docs/_ext/winograd_matrices.py computes them, tests/cpu_winograd_matrices_test.cpp compares them
// with what the functions below multiply by):
//
// B^T =
//       2401/4320   2401/1080     -49/54       -98/27      32/135       128/135  0
//       2401/4320  -2401/1080     -49/54        98/27      32/135      -128/135  0
//          -8/135     -64/945  1280/1323   10240/9261  -2048/6615  -16384/46305  0
//          -8/135      64/945  1280/1323  -10240/9261  -2048/6615   16384/46305  0
//           1/288       1/504    -53/882    -106/3087      32/441      128/3087  0
//           1/288      -1/504    -53/882     106/3087      32/441     -128/3087  0
//     -2401/16384           0   1323/512            0     -249/64             0  1
//
// G for 3 taps, A for 3 outputs =
//     1   1/4   1/16
//     1  -1/4   1/16
//     1   7/8  49/64
//     1  -7/8  49/64
//     1   7/4  49/16
//     1  -7/4  49/16
//     0     0      1
//
// G for 5 taps, A for 5 outputs =
//     1   1/4   1/16      1/64      1/256
//     1  -1/4   1/16     -1/64      1/256
//     1   7/8  49/64   343/512  2401/4096
//     1  -7/8  49/64  -343/512  2401/4096
//     1   7/4  49/16    343/64   2401/256
//     1  -7/4  49/16   -343/64   2401/256
//     0     0      0         0          1
//
// The price is accuracy: on AlexNet's layers errors of typically 17 eps, at most 320, where the
// direct method has 3 and 30 (the page has each layer's, and why these points are the best of their
// kind). Pairs of opposite points share half of their work.
//
// And what is not finite. An output is a sum over its whole tile in which the pixels outside of its
// window cancel; infinity and NaN do not, and neither does what overflows on the way to the points.
// So a tile with one such pixel has no finite output, where the direct method leaves those whose
// windows do not hold it. The kernels look at what comes back from the points (`Finite`, one
// multiply-add for each output) and report images, or a gradient of the weights, in which something
// is not finite; conv2d.cpp computes those directly. (A large finite pixel costs its neighbours in
// the tile digits instead: see the page.)
#include "backends/cpu/kernels/matmul/gemm.h"

namespace limulus::cpu::LIMULUS_ISA {

constexpr int tile_in = 7;  // what a tile sees of the image, in each direction; also its products
constexpr int tile_products = tile_in * tile_in;
template <int Taps>
constexpr int tile_out = tile_in + 1 - Taps;  // a tile's outputs

// The points are +-p[0], +-p[1], +-p[2] and infinity, in this order. Their squares are exact.
struct SevenPoints {
  static constexpr double p[3] = {0.25, 0.875, 1.75};
  static constexpr double square(int i) { return p[i % 3] * p[i % 3]; }
};

// B^T d. A row of B^T belongs to a point q and holds the coefficients of the polynomial that is
// zero at all the others, divided by its value at q. With a, b, c the squares of the three pairs'
// points:
//     for +-p, p p = a:  (z +- p)(z^2 - b)(z^2 - c) / (+-2 p (a - b)(a - c))
//     for infinity:      (z^2 - a)(z^2 - b)(z^2 - c)
// What belongs to +p and -p differs in the sign of the odd terms only.
template <class T>
LIMULUS_INLINE void input_points(const Vec<T> d[tile_in], Vec<T> out[tile_in]) {
  using V = Vec<T>;
#pragma GCC unroll 3
  for (int i = 0; i < 3; ++i) {
    const double p = SevenPoints::p[i], a = SevenPoints::square(i);
    const double b = SevenPoints::square(i + 1), c = SevenPoints::square(i + 2);
    const double divisor = 2 * (a - b) * (a - c);
    const V product = V::set(T(b * c)), sum = V::set(T(-b - c));
    const V even = V::set(T(1 / divisor)) * fma(product, d[0], fma(sum, d[2], d[4]));
    const V odd = V::set(T(1 / (p * divisor))) * fma(product, d[1], fma(sum, d[3], d[5]));
    out[2 * i] = even + odd;
    out[2 * i + 1] = even - odd;
  }
  constexpr double a = SevenPoints::square(0), b = SevenPoints::square(1),
                   c = SevenPoints::square(2);
  out[6] = fma(V::set(T(-a * b * c)), d[0],
               fma(V::set(T(a * b + b * c + c * a)), d[2], fma(V::set(T(-a - b - c)), d[4], d[6])));
}

// The polynomial g[0] + g[1] z + ... at the points (Horner's rule in z^2).
template <int Count, class T>
LIMULUS_INLINE void values(const Vec<T> g[Count], Vec<T> out[tile_in]) {
  using V = Vec<T>;
  constexpr int last_even = (Count - 1) / 2 * 2, last_odd = Count / 2 * 2 - 1;
#pragma GCC unroll 3
  for (int i = 0; i < 3; ++i) {
    const V square = V::set(T(SevenPoints::square(i)));
    V even = g[last_even], odd = g[last_odd];
#pragma GCC unroll 3
    for (int j = last_even - 2; j >= 0; j -= 2) even = fma(square, even, g[j]);
#pragma GCC unroll 3
    for (int j = last_odd - 2; j >= 0; j -= 2) odd = fma(square, odd, g[j]);
    out[2 * i] = fma(V::set(T(SevenPoints::p[i])), odd, even);
    out[2 * i + 1] = fma(V::set(T(-SevenPoints::p[i])), odd, even);
  }
  out[6] = g[Count - 1];
}

// The transpose of `values`: out[j] = sum of q^j m(q) over the points q.
template <int Count, class T>
LIMULUS_INLINE void moments(const Vec<T> m[tile_in], Vec<T> out[Count]) {
  using V = Vec<T>;
  V sum[3], difference[3];
#pragma GCC unroll 3
  for (int i = 0; i < 3; ++i) {
    sum[i] = m[2 * i] + m[2 * i + 1];
    difference[i] = m[2 * i] - m[2 * i + 1];
  }
  double power[3] = {1, 1, 1};
#pragma GCC unroll 5
  for (int j = 0; j < Count; ++j) {
    const V* term = j % 2 == 0 ? sum : difference;
    V total = j == Count - 1 ? m[6] : V::zero();
#pragma GCC unroll 3
    for (int i = 0; i < 3; ++i) {
      total = fma(V::set(T(power[i])), term[i], total);
      power[i] *= SevenPoints::p[i];
    }
    out[j] = total;
  }
}

// Whether all values shown to it were finite: 0 x is 0 for those, and NaN for the others.
template <class T>
struct Finite {
  Vec<T> zeros = Vec<T>::zero();
  LIMULUS_INLINE void see(Vec<T> value) { zeros = fma(value, Vec<T>::zero(), zeros); }
  // Sets flag n, if there are any, which other threads may be setting as well.
  LIMULUS_INLINE void report(unsigned char* not_finite, std::int64_t n) const {
    if (not_finite != nullptr && any(is_nan(zeros)))
      __atomic_store_n(not_finite + n, 1, __ATOMIC_RELAXED);
  }
};

// All of a tile, `width` channels at once (one per lane): f is done to the columns of an In x In
// tile, then to the rows of the result, Out x Out in the end.
template <class T, int In, int Out, class F, class Load, class Store>
LIMULUS_INLINE void both_axes(F f, Load load, Store store) {
  Vec<T> middle[Out][In];
#pragma GCC unroll 7
  for (int j = 0; j < In; ++j) {
    Vec<T> column[In], out[Out];
#pragma GCC unroll 7
    for (int i = 0; i < In; ++i) column[i] = load(i, j);
    f(column, out);
#pragma GCC unroll 7
    for (int i = 0; i < Out; ++i) middle[i][j] = out[i];
  }
#pragma GCC unroll 7
  for (int i = 0; i < Out; ++i) {
    Vec<T> out[Out];
    f(middle[i], out);
#pragma GCC unroll 7
    for (int j = 0; j < Out; ++j) store(i, j, out[j]);
  }
}

}  // namespace limulus::cpu::LIMULUS_ISA

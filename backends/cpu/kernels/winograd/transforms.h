#pragma once
// Winograd's convolution: 3 x 3 and 5 x 5 filters with a fifth of the multiplications.
//
// In one dimension. Two outputs of a filter of three taps over d0 .. d3,
//     y0 = d0 g0 + d1 g1 + d2 g2,    y1 = d1 g0 + d2 g1 + d3 g2,
// seem to need six multiplications. Four will do:
//     m0 = (d0 - d2) g0                         y0 = m0 + m1 + m2
//     m1 = (d1 + d2) (g0 + g1 + g2) / 2         y1 = m1 - m2 - m3
//     m2 = (d2 - d1) (g0 - g1 + g2) / 2
//     m3 = (d1 - d3) g2
// (m1 + m2 = d1 g1 + d2 (g0 + g2): with m0 the terms in d2 g0 cancel.) What is done to d and to g
// are additions, and each is done once, while a d meets many filters and a g many images. Behind it
// is a fact about polynomials: two of degrees m - 1 and 2 have a product of degree m + 1, known
// from its values at m + 2 points, and at a point a product costs one multiplication. Here the
// points are 0, 1, -1 and infinity. Convolution as a sliding sum is that product's transpose, so
// that m outputs need m + 2 multiplications rather than 3 m. (Winograd, "Arithmetic Complexity of
// Computations", 1980; for networks: Lavin and Gray, "Fast Algorithms for Convolutional Neural
// Networks", 2016, who name it F(m, 3).)
//
// In two dimensions the same is done to the columns of a tile and then to its rows. In matrices,
//     Y = A^T [ (G g G^T) * (B^T d B) ] A,        * entry by entry:
// a tile of m x m outputs sees (m + r - 1)^2 pixels d, for filters of r x r taps, and needs as many
// multiplications. The sum over input channels is taken before the way back, since A is linear: for
// each point a matrix product [tiles, c] x [c, k], which is what the register tile is for.
//
// Here there are always seven points, three pairs +-p and infinity: a tile sees 7 x 7 pixels, and
// takes 49 multiplications for each pair of channels. That is
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
// Seven suit AlexNet. Its maps of 27 x 27 (conv2, 5 x 5) are 9 x 9 tiles of 3 x 3, none over the
// edge: 81 * 49 = 3969 multiplications per pair of channels instead of 18225, 4.6 times fewer.
// Those of 13 x 13 (conv3 to 5, 3 x 3) are 3 x 3 tiles of 5 x 5 with two rows and columns to spare:
// 441 instead of 1521, 3.4 times fewer. (With six points F(4x4, 3x3) would take 576 there, and
// F(2x2, 5x5) 7056 for conv2.) conv1, as 3 x 3 filters on a map of 55 x 55 (source.h), is 11 x 11
// tiles of 5 x 5.
//
// The price is accuracy. Largest and typical (rms) error in float, in eps max(|y|, rms of y),
// normal numbers, 192 channels for 3 x 3 and 48 for 5 x 5; each set the best of its kind among
// multiples of 1/8:
//                                                         F(5x5, 3x3)     F(3x3, 5x5)
//     0, +-1/2, +-1, -2, infinity (close to the usual)      424   33        154   19
//     0, +-1/2, +-5/4, +-5/2                                328   23        103   13
//     +-1/4, +-7/8, +-7/4, infinity (used here)             228   20         75   11
//     six points: F(4x4, 3x3), F(2x2, 5x5)                  100   10         30    6
// (Six points: 0, +-5/8, +-3/2 and infinity. The usual 0, +-1, +-2 and infinity had 452 and 21.)
// Pairs of opposite points share half of their work, so that a set without 0 costs no more.
//
// The kernels of this folder, on AlexNet's layers with a batch of 32, AVX-512
// (benchmarks/conv_error prints this; sums over channels or tiles are formed in pieces of 128:
// without that conv3 had 394 and 24). In brackets the direct method:
//                  outputs                  input gradient           weight gradient
//     conv1       192, 11.3 (32, 2.9)                                 64, 12.9 (14, 3.0)
//     conv2       119, 12.0 (24, 2.6)       165, 18.0 (18, 2.8)      143, 17.9 (15, 2.9)
//     conv3       184, 17.6 (23, 2.9)       210, 17.6 (18, 2.9)      104, 13.4 (15, 2.7)
//     conv4       219, 16.1 (21, 2.7)       272, 16.2 (23, 2.7)      106, 13.4 (14, 2.7)
//     conv5       223, 16.2 (22, 2.7)       240, 17.3 (27, 2.9)       85, 13.4 (14, 2.7)
// An rms of 17 eps is 2e-6 of a typical output. The largest depends on the numbers (320 was seen);
// the tests allow 512 eps, and 64 where only the direct method can run.
//
// And what is not finite. An output is a sum over its whole tile in which the pixels outside of its
// window cancel; infinity and NaN do not, and neither does what overflows on the way to the points.
// So a tile with one such pixel has no finite output, where the direct method leaves those whose
// windows do not hold it. The kernels look at what comes back from the points (`Finite`, one
// multiply-add for each output) and report images, or a gradient of the weights, in which something
// is not finite; conv2d.cpp computes those directly.
//
// (A large finite pixel costs its neighbours in the tile digits instead:
// docs/performance/winograd.md.)
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

#pragma once
// Winograd's convolution: 3 x 3 filters with a quarter of the multiplications. The idea, and six
// points.
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
// is a fact about polynomials: two of degrees m - 1 and 2 have a product of degree m + 1, known from
// its values at m + 2 points, and at a point a product costs one multiplication. Here the points
// are 0, 1, -1 and infinity. Convolution as a sliding sum is that product's transpose, so that m
// outputs need m + 2 multiplications rather than 3 m. (Winograd, "Arithmetic Complexity of
// Computations", 1980; for networks: Lavin and Gray, "Fast Algorithms for Convolutional Neural
// Networks", 2016, who name it F(m, 3).)
//
// In two dimensions the same is done to the columns of a tile and then to its rows. In matrices,
//     Y = A^T [ (G g G^T) * (B^T d B) ] A,        * entry by entry:
// a tile of m x m outputs sees (m + 2)^2 pixels d and needs as many multiplications. F(2x2) takes 16
// instead of 36, 2.25 times fewer; F(4x4), with the six points below, 36 instead of 144: 4 times.
// conv1, dealt into 3 x 3 filters, uses it (conv2d_strided.h). winograd_seven.h has one point more,
// for the other layers.
//
// The sum over input channels is taken before the way back, since A is linear: for each of the 36
// points a matrix product [tiles, c] x [c, k], which is what the register tile is for.
//
// The price is accuracy: large terms are added and cancel. How much depends on the points.
// Largest and typical (rms) error of 4x4 tiles, in eps max(|y|, rms of y), 192 channels of normal
// numbers, in float:
//     0, +-1, +-2,     infinity    452   21.3        (what papers print)
//     0, +-1/2, +-1,   infinity    398   21.5
//     0, +-5/8, +-3/2, infinity    114    9.7        (used here; their squares are exact in binary)
//     the direct method             18    2.4
// Neither small nor large powers of a point should dominate, and a b near 1 balances them. That is
// five and not six good digits where an output is of typical size. In training it is far below the
// noise of the batch; where it matters, LIMULUS_CONV=direct.
#include "backends/cpu/kernels/gemm.h"

namespace limulus::cpu::LIMULUS_ISA {

// The points of evaluation: 0, +-a, +-b and infinity.
struct Points {
  static constexpr double a = 0.625, b = 1.5;
  static constexpr double a2 = a * a, b2 = b * b;
};

constexpr int winograd_out = 4, winograd_in = 6;  // a tile's width, and what it sees of the image
constexpr int winograd_products = winograd_in * winograd_in;

// An input tile's row or column d[0 .. 5] at the six points: B^T d. Row by row, B^T holds the
// coefficients of
//     (z^2 - a^2)(z^2 - b^2)       z (z +- a)(z^2 - b^2)
//     z (z^2 - a^2)(z^2 - b^2)     z (z +- b)(z^2 - a^2)
// What belongs to +a and -a differs in the sign of the odd terms only.
template <class T>
LIMULUS_INLINE void input_points(const Vec<T> d[6], Vec<T> out[6]) {
  using V = Vec<T>;
  const V a = V::set(T(Points::a)), b = V::set(T(Points::b));
  const V minus_a2 = V::set(T(-Points::a2)), minus_b2 = V::set(T(-Points::b2));
  const V sum = V::set(T(-Points::a2 - Points::b2)), product = V::set(T(Points::a2 * Points::b2));
  const V even_a = fma(minus_b2, d[2], d[4]), odd_a = a * fma(minus_b2, d[1], d[3]);
  const V even_b = fma(minus_a2, d[2], d[4]), odd_b = b * fma(minus_a2, d[1], d[3]);
  out[0] = fma(product, d[0], fma(sum, d[2], d[4]));
  out[1] = even_a + odd_a;
  out[2] = even_a - odd_a;
  out[3] = even_b + odd_b;
  out[4] = even_b - odd_b;
  out[5] = fma(product, d[1], fma(sum, d[3], d[5]));
}

// A filter's row or column at the six points: G g. The value at a point p is g0 + g1 p + g2 p^2,
// divided by the product of p's distances from the other four.
template <class T>
LIMULUS_INLINE void filter_points(const Vec<T> g[3], Vec<T> out[6]) {
  using V = Vec<T>;
  constexpr double a = Points::a, b = Points::b, a2 = Points::a2, b2 = Points::b2;
  constexpr double by_a = 1 / (2 * a2 * (a2 - b2)), by_b = 1 / (2 * b2 * (b2 - a2));
  const V even_a = fma(V::set(T(a2 * by_a)), g[2], V::set(T(by_a)) * g[0]);
  const V even_b = fma(V::set(T(b2 * by_b)), g[2], V::set(T(by_b)) * g[0]);
  const V odd_a = V::set(T(a * by_a)) * g[1], odd_b = V::set(T(b * by_b)) * g[1];
  out[0] = V::set(T(1 / (a2 * b2))) * g[0];
  out[1] = even_a + odd_a;
  out[2] = even_a - odd_a;
  out[3] = even_b + odd_b;
  out[4] = even_b - odd_b;
  out[5] = g[2];
}

// From six products back to four outputs: A^T m. Output i is the sum of p^i m(p) over the points.
template <class T>
LIMULUS_INLINE void output_points(const Vec<T> m[6], Vec<T> out[4]) {
  using V = Vec<T>;
  constexpr double a = Points::a, b = Points::b;
  const V even_a = m[1] + m[2], odd_a = m[1] - m[2], even_b = m[3] + m[4], odd_b = m[3] - m[4];
  out[0] = m[0] + even_a + even_b;
  out[1] = fma(V::set(T(b)), odd_b, V::set(T(a)) * odd_a);
  out[2] = fma(V::set(T(b * b)), even_b, V::set(T(a * a)) * even_a);
  out[3] = fma(V::set(T(b * b * b)), odd_b, fma(V::set(T(a * a * a)), odd_a, m[5]));
}

}  // namespace limulus::cpu::LIMULUS_ISA

// 03 Convolution by hand: loops, im2col, GEMM
//
// A convolution can be written as six loops, or as one product of matrices. The
// second is why libraries became fast: everybody knew how to multiply matrices
// fast. It takes im2col (image to columns), which makes one of them, and GEMM
// (general matrix multiplication). Here are both, for AlexNet's first layer.
//
// Letters as everywhere: C input channels of H rows and W columns; K filters of
// F x F taps; stride S, padding P; an output of OH rows and OW columns.
#include <cmath>
#include <cstdio>
#include <vector>

#include "backends/registry.h"
#include "core/rng.h"
#include "layers/conv2d.h"

using namespace limulus;
using Values = std::vector<float>;

struct Layer {
  int C, H, W, K, F, S, P;
  int out(int n) const { return (n - F + 2 * P) / S + 1; }
  int OH() const { return out(H); }
  int OW() const { return out(W); }
};

// The value under a tap: 0 where the window hangs over the image's edge.
float at(const Layer& l, const Values& x, int c, int ih, int iw) {
  const bool inside = 0 <= ih && ih < l.H && 0 <= iw && iw < l.W;
  return inside ? x[(c * l.H + ih) * l.W + iw] : 0;
}

// ---- Six loops ----
//
// The definition, word by word. Three loops choose an output, three more sum
// over the window that it looks at:
//
//     y[k, oh, ow] = sum over c, fh, fw of
//         x[c, oh S + fh - P, ow S + fw - P] w[k, c, fh, fw]
Values by_loops(const Layer& l, const Values& x, const Values& w) {
  Values y;
  for (int k = 0; k < l.K; ++k)
    for (int oh = 0; oh < l.OH(); ++oh)
      for (int ow = 0; ow < l.OW(); ++ow) {
        float sum = 0;
        for (int c = 0; c < l.C; ++c)
          for (int fh = 0; fh < l.F; ++fh)
            for (int fw = 0; fw < l.F; ++fw)
              sum += at(l, x, c, oh * l.S + fh - l.P, ow * l.S + fw - l.P) *
                     w[((k * l.C + c) * l.F + fh) * l.F + fw];
        y.push_back(sum);
      }
  return y;
}

// ---- im2col: windows become columns ----
//
// A filter is a row of C F F weights. Let each window be a column of as many
// values, in the same order: then every output is a row times a column. The
// matrix has a row for each tap, and a column for each place of the window.
Values im2col(const Layer& l, const Values& x) {
  Values columns;  // [C F F, OH OW]
  for (int c = 0; c < l.C; ++c)
    for (int fh = 0; fh < l.F; ++fh)
      for (int fw = 0; fw < l.F; ++fw)
        for (int oh = 0; oh < l.OH(); ++oh)
          for (int ow = 0; ow < l.OW(); ++ow)
            columns.push_back(
                at(l, x, c, oh * l.S + fh - l.P, ow * l.S + fw - l.P));
  return columns;
}

// ---- GEMM: a product of matrices ----
//
// Y = W X: Y[i, j] = sum over p of W[i, p] X[p, j]. A row of W is a filter, a
// column of X a window, p a tap. The textbook has p in its innermost loop. With
// j there, the loop runs along rows of X and Y, through neighbours in memory,
// which the processor can take eight or sixteen at a time. Each Y[i, j] still
// gathers its terms in the order of p.
Values gemm(int m, int n, int taps, const Values& W, const Values& X) {
  Values Y(static_cast<std::size_t>(m) * n);
  for (int i = 0; i < m; ++i)
    for (int p = 0; p < taps; ++p)
      for (int j = 0; j < n; ++j)
        Y[i * n + j] += W[i * taps + p] * X[p * n + j];
  return Y;
}

int main() {
  // ---- A window small enough to see ----
  //
  // An image of 4 x 4 and a window of 3 x 3 that moves by 1. It fits
  // (4 - 3 + 2*0)/1 + 1 = 2 times along each side, at 4 places: 4 columns of 9
  // values. Column 0 is the window at the upper left. Neighbours overlap, so
  // most values appear several times: 36 where there were 16.
  const Layer small = {1, 4, 4, 1, 3, 1, 0};
  Values image;
  for (int i = 0; i < 16; ++i) image.push_back(static_cast<float>(i));
  const Values seen = im2col(small, image);
  for (int tap = 0; tap < 9; ++tap)
    std::printf("tap [%d, %d]  %2g %2g %2g %2g\n", tap / 3, tap % 3,
                seen[tap * 4], seen[tap * 4 + 1], seen[tap * 4 + 2],
                seen[tap * 4 + 3]);

  // ---- AlexNet's first layer ----
  //
  // An image of 3 x 227 x 227 and 11 x 11 windows in steps of 4. The division
  // leaves no rest: 216 / 4 = 54 steps, 55 places. Of the 96 filters we take 8.
  const Layer conv1 = {3, 227, 227, 8, 11, 4, 0};
  const int taps = conv1.C * conv1.F * conv1.F, places = 55 * 55;
  std::printf("\nconv1: (%d - %d + 2*%d)/%d + 1 = %d\n", conv1.H, conv1.F,
              conv1.P, conv1.S, conv1.OH());
  std::printf("weights [%d, %d] times columns [%d, %d]\n", conv1.K, taps, taps,
              places);
  std::printf("multiply-adds: %d*%d*%d = %d (with 96 filters %d)\n", conv1.K,
              taps, places, conv1.K * taps * places, 96 * taps * places);
  std::printf("values: image %d, columns %d, %.1f times as many\n\n",
              3 * 227 * 227, taps * places, taps * places / (3 * 227 * 227.0));

  Rng rng(1);
  Values x(3 * 227 * 227), w(conv1.K * taps);
  for (float& value : x) value = static_cast<float>(rng.normal());
  for (float& value : w) value = static_cast<float>(rng.normal());

  // ---- All three compared ----
  //
  // Loops and matrices add the same products in the same order: the results
  // are the same bits. The library adds in another order, for speed, and rounds
  // differently: it agrees to the digits that f32 can promise. It never makes
  // the matrix of columns, which is what im2col pays for being simple.
  const Values y = by_loops(conv1, x, w);
  const Values product = gemm(conv1.K, places, taps, w, im2col(conv1, x));
  std::printf("loops and im2col + GEMM: %s\n",
              y == product ? "the same bits" : "DIFFERENT");

  const Values library =
      conv2d(Tensor::from(x, {1, 3, 227, 227}, device()),
             Tensor::from(w, {8, 3, 11, 11}, device()), Tensor(), {.stride = 4})
          .to_vector<float>();
  float largest = 0, difference = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    largest = std::fmax(largest, std::fabs(y[i]));
    difference = std::fmax(difference, std::fabs(y[i] - library[i]));
  }
  std::printf("loops and conv2d: %s\n", difference < 1e-5F * largest
                                            ? "within 1e-5 of the largest value"
                                            : "DIFFERENT");
}

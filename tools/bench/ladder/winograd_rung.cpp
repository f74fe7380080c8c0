// Winograd's method as plain loops, F(5x5, 3x3): tiles of 5 x 5 outputs of 3 x 3 taps with 49
// multiplications where the formula has 225. docs/performance/winograd.md walks through it.
//
//     Y = A^T [ (G g G^T) * (B^T d B) ] A          * entry by entry
//
// The matrices are printed in transforms.h, which says where they come from, and does with a few
// additions what is done here by multiplying with them.
#include "backends/cpu/kernels/simd/parallel.h"
#include "tools/bench/ladder/rungs.h"

namespace limulus::cpu::LIMULUS_ISA {
namespace {

constexpr int taps = 3, out = 5, in = 7, products = in * in;

template <int Rows, int Cols>
struct Matrix {
  float at[Rows][Cols];
  constexpr Matrix<Cols, Rows> transposed() const {
    Matrix<Cols, Rows> t{};
    for (int i = 0; i < Rows; ++i)
      for (int j = 0; j < Cols; ++j) t.at[j][i] = at[i][j];
    return t;
  }
};

constexpr Matrix<in, in> B_transposed{
    {{2401.f / 4320, 2401.f / 1080, -49.f / 54, -98.f / 27, 32.f / 135, 128.f / 135, 0},
     {2401.f / 4320, -2401.f / 1080, -49.f / 54, 98.f / 27, 32.f / 135, -128.f / 135, 0},
     {-8.f / 135, -64.f / 945, 1280.f / 1323, 10240.f / 9261, -2048.f / 6615, -16384.f / 46305, 0},
     {-8.f / 135, 64.f / 945, 1280.f / 1323, -10240.f / 9261, -2048.f / 6615, 16384.f / 46305, 0},
     {1.f / 288, 1.f / 504, -53.f / 882, -106.f / 3087, 32.f / 441, 128.f / 3087, 0},
     {1.f / 288, -1.f / 504, -53.f / 882, 106.f / 3087, 32.f / 441, -128.f / 3087, 0},
     {-2401.f / 16384, 0, 1323.f / 512, 0, -249.f / 64, 0, 1}}};
constexpr Matrix<in, taps> G{{{1, 1.f / 4, 1.f / 16},
                              {1, -1.f / 4, 1.f / 16},
                              {1, 7.f / 8, 49.f / 64},
                              {1, -7.f / 8, 49.f / 64},
                              {1, 7.f / 4, 49.f / 16},
                              {1, -7.f / 4, 49.f / 16},
                              {0, 0, 1}}};
constexpr Matrix<in, out> A{{{1, 1.f / 4, 1.f / 16, 1.f / 64, 1.f / 256},
                             {1, -1.f / 4, 1.f / 16, -1.f / 64, 1.f / 256},
                             {1, 7.f / 8, 49.f / 64, 343.f / 512, 2401.f / 4096},
                             {1, -7.f / 8, 49.f / 64, -343.f / 512, 2401.f / 4096},
                             {1, 7.f / 4, 49.f / 16, 343.f / 64, 2401.f / 256},
                             {1, -7.f / 4, 49.f / 16, -343.f / 64, 2401.f / 256},
                             {0, 0, 0, 0, 1}}};
constexpr Matrix<out, in> A_transposed = A.transposed();

// M x M^T: M is done to the columns of x and then to the rows of the result.
template <int To, int From>
Matrix<To, To> both_axes(const Matrix<To, From>& m, const Matrix<From, From>& x) {
  Matrix<To, From> middle{};
  for (int i = 0; i < To; ++i)
    for (int p = 0; p < From; ++p)
      for (int j = 0; j < From; ++j) middle.at[i][j] += m.at[i][p] * x.at[p][j];
  Matrix<To, To> y{};
  for (int i = 0; i < To; ++i)
    for (int j = 0; j < To; ++j)
      for (int p = 0; p < From; ++p) y.at[i][j] += middle.at[i][p] * m.at[j][p];
  return y;
}

// The 7 x 7 pixels that tile (row, column) of a map sees; zeros beyond its edge.
Matrix<in, in> pixels(const Window2d& window, const float* map, std::int64_t row,
                      std::int64_t column) {
  const Window1d &h = window.h, &w = window.w;
  Matrix<in, in> d{};
  for (int i = 0; i < in; ++i)
    for (int j = 0; j < in; ++j) {
      const std::int64_t ih = row * out + i - h.pad, iw = column * out + j - w.pad;
      if (ih >= 0 && ih < h.in && iw >= 0 && iw < w.in) d.at[i][j] = map[ih * w.in + iw];
    }
  return d;
}

}  // namespace

void winograd_loops(const Context& ctx, const Conv2dShape& s, const float* x, const float* w,
                    const float* b, float* y) {
  const std::int64_t oh = s.window.h.out, ow = s.window.w.out, map = s.window.h.in * s.window.w.in;
  const std::int64_t tiles_w = ceil_div(ow, out), tiles = ceil_div(oh, out) * tiles_w;
  const std::int64_t u_size = products * s.c * s.k, v_size = products * s.c * tiles;
  const Scratch scratch(ctx, (u_size + v_size + products * tiles * s.k) * 4);
  float* u = scratch.as<float>();  // [product, c, k]
  float* v = u + u_size;           // [product, c, tile]
  float* m = v + v_size;           // [product, tile, k]

  // 1. Each filter is brought to the points, once: u = G g G^T.
  for (std::int64_t k = 0; k < s.k; ++k)
    for (std::int64_t c = 0; c < s.c; ++c) {
      Matrix<taps, taps> g;
      for (int i = 0; i < taps * taps; ++i) g.at[i / 3][i % 3] = w[(k * s.c + c) * taps * taps + i];
      const Matrix<in, in> points = both_axes(G, g);
      for (int p = 0; p < products; ++p) u[(p * s.c + c) * s.k + k] = points.at[p / in][p % in];
    }
  for (std::int64_t n = 0; n < s.n; ++n) {
    // 2. So is each tile of the image: v = B^T d B.
    for (std::int64_t c = 0; c < s.c; ++c)
      for (std::int64_t t = 0; t < tiles; ++t) {
        const Matrix<in, in> points = both_axes(
            B_transposed, pixels(s.window, x + (n * s.c + c) * map, t / tiles_w, t % tiles_w));
        for (int p = 0; p < products; ++p) v[(p * s.c + c) * tiles + t] = points.at[p / in][p % in];
      }
    // 3. There a filter costs one multiplication: for each of the 49, a product of matrices.
    for (std::int64_t i = 0; i < products * tiles * s.k; ++i) m[i] = 0;
    for (int p = 0; p < products; ++p)
      for (std::int64_t c = 0; c < s.c; ++c)
        for (std::int64_t t = 0; t < tiles; ++t) {
          const float pixel = v[(p * s.c + c) * tiles + t];
          const float* from = u + (p * s.c + c) * s.k;
          float* to = m + (p * tiles + t) * s.k;
          for (std::int64_t k = 0; k < s.k; ++k) to[k] += pixel * from[k];
        }
    // 4. The sums over all channels are taken back, once: y = A^T m A + b.
    for (std::int64_t t = 0; t < tiles; ++t)
      for (std::int64_t k = 0; k < s.k; ++k) {
        Matrix<in, in> sums;
        for (int p = 0; p < products; ++p) sums.at[p / in][p % in] = m[(p * tiles + t) * s.k + k];
        const Matrix<out, out> outputs = both_axes(A_transposed, sums);
        const std::int64_t row = t / tiles_w * out, column = t % tiles_w * out;
        for (std::int64_t i = 0; i < smaller(out, oh - row); ++i)
          for (std::int64_t j = 0; j < smaller(out, ow - column); ++j)
            y[((n * s.k + k) * oh + row + i) * ow + column + j] = outputs.at[i][j] + b[k];
      }
  }
}

}  // namespace limulus::cpu::LIMULUS_ISA

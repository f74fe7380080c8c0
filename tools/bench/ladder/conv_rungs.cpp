// A convolution, from the formula to the fastest kernel. Compiled once per instruction set, like
// the kernels (backends/cpu/kernels/simd/simd.h); all but the last rungs run on one thread.
#include "backends/cpu/kernels/matmul/gemm.h"
#include "backends/cpu/kernels/matrix_kernels.h"
#include "backends/cpu/kernels/simd/parallel.h"
#include "tools/bench/ladder/rungs.h"

namespace limulus::cpu::LIMULUS_ISA {
namespace {

// The formula as it is written: seven loops. Each multiply-add waits for the addition before it,
// and asks first whether its pixel lies in the image.
void formula(const Context&, const Conv2dShape& s, const float* x, const float* w, const float* b,
             float* y) {
  const Window1d &h = s.window.h, &v = s.window.w;
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t k = 0; k < s.k; ++k)
      for (std::int64_t oh = 0; oh < h.out; ++oh)
        for (std::int64_t ow = 0; ow < v.out; ++ow) {
          float sum = b[k];
          for (std::int64_t c = 0; c < s.c; ++c)
            for (std::int64_t fh = 0; fh < h.kernel; ++fh)
              for (std::int64_t fw = 0; fw < v.kernel; ++fw) {
                const std::int64_t ih = oh + fh - h.pad, iw = ow + fw - v.pad;
                if (ih < 0 || ih >= h.in || iw < 0 || iw >= v.in) continue;
                sum += x[((n * s.c + c) * h.in + ih) * v.in + iw] *
                       w[((k * s.c + c) * h.kernel + fh) * v.kernel + fw];
              }
          y[((n * s.k + k) * h.out + oh) * v.out + ow] = sum;
        }
}

// The same sums in another order: a weight is taken once and its product with a whole row of the
// image added to a row of the result. Neighbours in a row wait for nobody, the compiler makes
// vectors of them, and the question about the edge is asked once per row.
void rows(const Context&, const Conv2dShape& s, const float* x, const float* w, const float* b,
          float* y) {
  const Window1d &h = s.window.h, &v = s.window.w;
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t k = 0; k < s.k; ++k) {
      float* plane = y + (n * s.k + k) * h.out * v.out;
      for (std::int64_t i = 0; i < h.out * v.out; ++i) plane[i] = b[k];
      for (std::int64_t c = 0; c < s.c; ++c)
        for (std::int64_t fh = 0; fh < h.kernel; ++fh)
          for (std::int64_t fw = 0; fw < v.kernel; ++fw) {
            const float weight = w[((k * s.c + c) * h.kernel + fh) * v.kernel + fw];
            const std::int64_t begin = larger(0, v.pad - fw);
            const std::int64_t end = smaller(v.out, v.in + v.pad - fw);
            for (std::int64_t oh = 0; oh < h.out; ++oh) {
              const std::int64_t ih = oh + fh - h.pad;
              if (ih < 0 || ih >= h.in) continue;
              const float* from = x + ((n * s.c + c) * h.in + ih) * v.in + fw - v.pad;
              float* to = plane + oh * v.out;
              for (std::int64_t ow = begin; ow < end; ++ow) to[ow] += weight * from[ow];
            }
          }
    }
}

// columns [c fh fw, oh ow]: under each place of the output the pixels that its window sees
void spread_out(const Conv2dShape& s, const float* image, float* columns) {
  const Window1d &h = s.window.h, &v = s.window.w;
  for (std::int64_t c = 0; c < s.c; ++c)
    for (std::int64_t fh = 0; fh < h.kernel; ++fh)
      for (std::int64_t fw = 0; fw < v.kernel; ++fw)
        for (std::int64_t oh = 0; oh < h.out; ++oh)
          for (std::int64_t ow = 0; ow < v.out; ++ow) {
            const std::int64_t ih = oh + fh - h.pad, iw = ow + fw - v.pad;
            const bool inside = ih >= 0 && ih < h.in && iw >= 0 && iw < v.in;
            *columns++ = inside ? image[(c * h.in + ih) * v.in + iw] : 0;
          }
}

// im2col: windows are written out as columns, and the convolution is a product of matrices,
// y [k, places] = w [k, taps] columns [taps, places]. Its inner loop is as long as a map and has no
// edges. But for each multiply-add it loads one number and loads and stores another.
void columns_times_rows(const Context& ctx, const Conv2dShape& s, const float* x, const float* w,
                        const float* b, float* y) {
  const std::int64_t places = s.window.h.out * s.window.w.out;
  const std::int64_t taps = s.c * s.window.h.kernel * s.window.w.kernel;
  const Scratch scratch(ctx, taps * places * 4);
  float* columns = scratch.as<float>();
  for (std::int64_t n = 0; n < s.n; ++n) {
    spread_out(s, x + n * s.c * s.window.h.in * s.window.w.in, columns);
    for (std::int64_t k = 0; k < s.k; ++k) {
      float* to = y + (n * s.k + k) * places;
      for (std::int64_t p = 0; p < places; ++p) to[p] = b[k];
      for (std::int64_t r = 0; r < taps; ++r) {
        const float weight = w[k * taps + r];
        const float* from = columns + r * places;
        for (std::int64_t p = 0; p < places; ++p) to[p] += weight * from[p];
      }
    }
  }
}

// A tile of the result stays in registers for the whole sum: 6 rows x 2 vectors. A step loads two
// vectors and six weights, and does twelve vector multiply-adds; nothing is stored until the end.
// Rows of `columns` are as far apart as the map is large, so each step touches other cache lines.
template <int Rows>
void tile(std::int64_t taps, std::int64_t places, const float* w, const float* columns,
          const float* b, float* y, int lanes) {
  using V = Vec<float>;
  V acc[Rows][2];
  for (int i = 0; i < Rows; ++i) acc[i][0] = acc[i][1] = V::set(b[i]);
  const int second = lanes - V::width;
  for (std::int64_t r = 0; r < taps; ++r) {
    const float* row = columns + r * places;
    const V c0 = second >= 0 ? V::load(row) : V::load_n(row, lanes);
    const V c1 = second > 0 ? V::load_n(row + V::width, second) : V::zero();
    for (int i = 0; i < Rows; ++i) {
      const V weight = V::set(w[i * taps + r]);
      acc[i][0] = fma(weight, c0, acc[i][0]);
      acc[i][1] = fma(weight, c1, acc[i][1]);
    }
  }
  for (int i = 0; i < Rows; ++i) {
    float* to = y + i * places;
    if (second >= 0) {
      acc[i][0].store(to);
      if (second > 0) acc[i][1].store_n(to + V::width, second);
    } else {
      acc[i][0].store_n(to, lanes);
    }
  }
}

void register_tile(const Context& ctx, const Conv2dShape& s, const float* x, const float* w,
                   const float* b, float* y) {
  constexpr int rows_of_tile = 6, width = 2 * Vec<float>::width;
  const std::int64_t places = s.window.h.out * s.window.w.out;
  const std::int64_t taps = s.c * s.window.h.kernel * s.window.w.kernel;
  const Scratch scratch(ctx, taps * places * 4);
  float* columns = scratch.as<float>();
  for (std::int64_t n = 0; n < s.n; ++n) {
    spread_out(s, x + n * s.c * s.window.h.in * s.window.w.in, columns);
    float* image = y + n * s.k * places;
    for (std::int64_t p = 0; p < places; p += width) {
      const int lanes = static_cast<int>(smaller(width, places - p));
      std::int64_t k = 0;
      for (; k + rows_of_tile <= s.k; k += rows_of_tile)
        tile<rows_of_tile>(taps, places, w + k * taps, columns + p, b + k, image + k * places + p,
                           lanes);
      for (; k < s.k; ++k)
        tile<1>(taps, places, w + k * taps, columns + p, b + k, image + k * places + p, lanes);
    }
  }
}

// By itself, not through conv2d_forward: that one chooses, or is told by LIMULUS_CONV.
void winograd(const Context& ctx, const Conv2dShape& s, const float* x, const float* w,
              const float* b, float* y) {
  conv2d_winograd<float>(ctx, s, x, w, false, b, y);
}

}  // namespace

Ladder<ConvRung> conv_ladder() {
  // The library's are packed panels and blocks for the caches (gemm.h, image.h), then, with a rung
  // of plain loops between (winograd_rung.cpp), Winograd's method, then all threads.
  static constexpr ConvRung rungs[] = {
      {"the formula: seven loops", formula, false},
      {"rows of the image", rows, false},
      {"im2col, row by row", columns_times_rows, false},
      {"im2col, a tile in registers", register_tile, false},
      {"packed panels, blocks for caches", conv2d_forward_direct<float>, false},
      {"Winograd's method, plain loops", winograd_loops, false},
      {"Winograd's method", winograd, false},
      {"the same, all threads", winograd, true},
  };
  return {rungs, static_cast<int>(sizeof rungs / sizeof *rungs)};
}

}  // namespace limulus::cpu::LIMULUS_ISA

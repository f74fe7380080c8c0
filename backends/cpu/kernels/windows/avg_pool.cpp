// Average pooling.
//
//   forward    y = (sum over the window's taps inside the image of x) / m
//   backward   dx[h, w] = sum over the windows (oh, ow) that hold (h, w) of g[oh, ow],   g = dy / m
//
// where m is the number of taps inside the image or, with count_include_pad, inside the padded one.
//
// Forward runs like max pooling (max_pool.cpp): a lane per window, every S-th element per tap.
//
// Backward, every tap of a window receives the same g, so the sum is separable, first along the
// row and then down the column. Along the row it is turned into plain shifted additions by writing
// g with S - 1 zeros between its values:
//
//   spread | g0 0 g1 0 g2 0 ... |     G[w] = sum over fw of spread[w + P - fw D]
//
// and dx of an input row is the sum of G over the rows of windows that cover it. Each step is done
// for all rows of a plane before the next begins: a value that was just stored in pieces cannot be
// loaded as a whole until it has reached the cache (see lrn_within.cpp).
#include "backends/cpu/kernels/kernels.h"
#include "backends/cpu/kernels/windows/pool_geometry.h"

namespace limulus::cpu::LIMULUS_ISA {
namespace {

template <int STRIDE, class T>
LIMULUS_INLINE Vec<T> sum_lanes(const Window2d& win, const T* x, std::int64_t rows, int n) {
  const std::int64_t taps = win.w.kernel, step = win.w.dilation, stride = win.w.stride;
  const std::int64_t row = win.h.dilation * win.w.in;
  const auto sum_of_row = [=](std::int64_t i) {
    return sum_of_terms<T>(taps, [=](std::int64_t j) {
      return load_strided<STRIDE>(x + i * row + j * step, n, stride);
    });
  };
  return sum_of_terms<T>(rows, sum_of_row);
}

template <class T>
T sum_one(const Window2d& win, const T* x, Range fh, Range fw, std::int64_t oh, std::int64_t ow) {
  const std::int64_t h0 = oh * win.h.stride - win.h.pad, w0 = ow * win.w.stride - win.w.pad;
  double sum = 0;
  for (std::int64_t i = fh.begin; i < fh.end; ++i)
    for (std::int64_t j = fw.begin; j < fw.end; ++j)
      sum += static_cast<double>(x[(h0 + i * win.h.dilation) * win.w.in + w0 + j * win.w.dilation]);
  return static_cast<T>(sum);
}

// How many of an axis's taps count: those inside the image or, with count_include_pad, inside the
// padded image. That is all of them, but for a ragged last window (ceil mode).
LIMULUS_INLINE std::int64_t counted(bool include_pad, const Window1d& w, std::int64_t o) {
  if (!include_pad) return taps_inside(w, o).count();
  Window1d padded = w;
  padded.in += 2 * w.pad;
  padded.pad = 0;
  return taps_inside(padded, o).count();
}

// The windows o with a tap on input i, i = o S - P + f D: every step-th, as f runs down.
struct Series {
  std::int64_t first, count, step;
};
Series windows_over(const Window1d& w, std::int64_t i) {
  Series all{0, 0, 1};
  for (std::int64_t f = w.kernel - 1; f >= 0; --f) {
    const std::int64_t start = i + w.pad - f * w.dilation;  // = o S
    if (start < 0 || start % w.stride != 0 || start / w.stride >= w.out) continue;
    if (all.count == 0) all.first = start / w.stride;
    if (all.count == 1) all.step = start / w.stride - all.first;
    ++all.count;
  }
  return all;
}

template <int STRIDE, class T>
void average_plane(const Pool2dShape& s, const T* x, const T* array_end, T* y) {
  const Window2d& win = s.window;
  const Range inside = windows_inside(win.w);
  for (std::int64_t oh = 0; oh < win.h.out; ++oh) {
    const Range fh = taps_inside(win.h, oh);
    T* yr = y + oh * win.w.out;
    const std::int64_t rows = counted(s.count_include_pad, win.h, oh);
    const Vec<T> m = Vec<T>::set(static_cast<T>(rows * win.w.kernel));
    const std::int64_t row = oh * win.h.stride - win.h.pad + fh.begin * win.h.dilation;
    const std::int64_t last_tap =
        (fh.count() - 1) * win.h.dilation * win.w.in + (win.w.kernel - 1) * win.w.dilation;
    std::int64_t ow = 0;
    while (ow < win.w.out) {
      if (ow < inside.begin || ow >= inside.end || fh.count() == 0) {
        const Range fw = taps_inside(win.w, ow);
        const std::int64_t taps = rows * counted(s.count_include_pad, win.w, ow);
        yr[ow] = sum_one(win, x, fh, fw, oh, ow) / static_cast<T>(taps);
        ++ow;
        continue;
      }
      const T* first = x + row * win.w.in + ow * win.w.stride - win.w.pad;
      constexpr int width = Vec<T>::width;
      const int n = static_cast<int>(smaller(width, inside.end - ow));
      const int lanes = n == width ? n : lanes_to_load<STRIDE>(first, last_tap, n, array_end);
      const Vec<T> sum = lanes == width ? sum_lanes<STRIDE>(win, first, fh.count(), width)
                                        : sum_lanes<STRIDE>(win, first, fh.count(), n);
      (sum / m).store_n(yr + ow, n);
      ow += n;
    }
  }
}

}  // namespace

template <class T>
void avg_pool2d_forward(const Context& ctx, const Pool2dShape& s, const T* x, T* y) {
  const Window2d& win = s.window;
  const std::int64_t in = win.h.in * win.w.in, out = win.h.out * win.w.out;
  const std::int64_t bytes = (in + out) * static_cast<std::int64_t>(sizeof(T));
  auto* plane_kernel = average_plane<0, T>;
  if (win.w.stride == 1) plane_kernel = average_plane<1, T>;
  if (win.w.stride == 2) plane_kernel = average_plane<2, T>;
  const Pool2dShape shape = s;
  const std::int64_t planes = s.n * s.c;
  for_planes(ctx, planes, bytes, [=](std::int64_t p, int) {
    plane_kernel(shape, x + p * in, x + planes * in, y + p * out);
  });
}

template <class T>
void avg_pool2d_backward(const Context& ctx, const Pool2dShape& s, const T* dy, T* dx) {
  const Pool2dShape shape = s;
  const Window1d& wide = s.window.w;
  const std::int64_t in = s.window.h.in * wide.in, out = s.window.h.out * wide.out;
  const std::int64_t bytes = (in + out) * static_cast<std::int64_t>(sizeof(T));
  // `spread` has room for the taps that reach back over its beginning.
  const std::int64_t reach = (wide.kernel - 1) * wide.dilation;
  const std::int64_t length = reach + larger(wide.in + wide.pad, wide.out * wide.stride);
  const std::int64_t rows_out = s.window.h.out;
  const std::int64_t per_thread = lines_apart<T>(rows_out * (length + wide.in) + out);
  const std::int64_t item = static_cast<std::int64_t>(sizeof(T));
  const std::int64_t columns_length = lines_apart<T>(wide.out);
  const Scratch scratch(ctx, (columns_length + ctx.threads * per_thread) * item);
  T* columns = scratch.template as<T>();  // [OW]: the taps of a window that count, along its row
  for (std::int64_t ow = 0; ow < wide.out; ++ow)
    columns[ow] = static_cast<T>(counted(s.count_include_pad, wide, ow));
  T* all = columns + columns_length;
  const std::int64_t gaps = ctx.threads * per_thread;  // the zeros of `spread` are written once
  for_lanes<T>(0, gaps, [=](auto at) { at.store(all, Vec<T>::zero()); });
  for_planes(ctx, s.n * s.c, bytes, [=](std::int64_t p, int thread) {
    const Window1d &h = shape.window.h, &w = shape.window.w;
    T* spread = all + thread * per_thread;     // [OH, length]
    T* row_sums = spread + rows_out * length;  // [OH, W]
    T* g = row_sums + rows_out * w.in;         // [OH, OW]
    T* dxp = dx + p * in;
    for (std::int64_t oh = 0; oh < h.out; ++oh) {
      const Vec<T> rows = Vec<T>::set(static_cast<T>(counted(shape.count_include_pad, h, oh)));
      const T* dyr = dy + p * out + oh * w.out;
      T* gr = g + oh * w.out;
      for_lanes<T>(0, w.out,
                   [=](auto at) { at.store(gr, at.load(dyr) / (rows * at.load(columns))); });
    }
    for (std::int64_t oh = 0; oh < h.out; ++oh) {
      T* values = spread + oh * length + reach;
      const T* gr = g + oh * w.out;
      for (std::int64_t ow = 0; ow < w.out; ++ow) values[ow * w.stride] = gr[ow];
    }
    for (std::int64_t oh = 0; oh < h.out; ++oh) {
      const std::int64_t taps = w.kernel, step = w.dilation;
      const T* from = spread + oh * length + reach + w.pad;
      T* to = row_sums + oh * w.in;
      for_lanes<T>(0, w.in, [=](auto at) {
        at.store(to,
                 sum_of_terms<T>(taps, [=](std::int64_t fw) { return at.load(from - fw * step); }));
      });
    }
    for (std::int64_t ih = 0; ih < h.in; ++ih) {
      const Series windows = windows_over(h, ih);
      const std::int64_t width = w.in;
      const T* sums = row_sums + windows.first * width;
      T* dxr = dxp + ih * width;
      for_lanes<T>(0, width, [=](auto at) {
        at.store(dxr, sum_of_terms<T>(windows.count, [=](std::int64_t i) {
                   return at.load(sums + i * windows.step * width);
                 }));
      });
    }
  });
}

template void avg_pool2d_forward(const Context&, const Pool2dShape&, const float*, float*);
template void avg_pool2d_forward(const Context&, const Pool2dShape&, const double*, double*);
template void avg_pool2d_backward(const Context&, const Pool2dShape&, const float*, float*);
template void avg_pool2d_backward(const Context&, const Pool2dShape&, const double*, double*);

}  // namespace limulus::cpu::LIMULUS_ISA

// Convolution by Winograd's products (winograd.h says what they are): transforms the filters, then,
// block of tiles by block of tiles, the image; multiplies; transforms the results back.
//
// All transforms have channels in the lanes of a register: a tile's 36 pixels are 36 registers, no
// lane is idle at a ragged edge, and a pixel beyond it is a register of zeros. Since an image has
// its channels far apart, a strip of it is turned over first ([channel, pixel] to [pixel, channel]),
// and so are the outputs at the end: about a quarter of a cycle per number.
//
// The transformed tiles are written where the register tile reads: as packed rows of its left
// operand, one tile a row, and the filters as packed panels of its right one. For conv3 and a block
// of 112 tiles (7 maps) one product's tiles are 115 KB and its filters 393 KB, in L2; all 36 of the
// block are 4 MB, and the products 6 MB, which pass through L3 once on the way in and out. Blocks of
// 56 to 256 tiles were equally fast within the noise. The transforms take about a fifth of
// conv5's time (perf), less with more channels.
//
// Each output is a sum over channels in order, in passes whose depth depends on their number alone:
// neither blocks nor threads show in the result.
#include "backends/cpu/kernels/winograd.h"

#include "backends/cpu/kernels/matrix_kernels.h"

namespace limulus::cpu::LIMULUS_ISA {
namespace {

// Sizes of a call, one group of channels at a time, and what lies where.
template <class T>
struct Plan {
  static constexpr int width = Vec<T>::width, cols = Blocking<T>::cols, depth = Blocking<T>::depth;
  std::int64_t c, k, panels;     // channels of a group; panels of `cols` output channels
  std::int64_t tiles_w;          // tiles in a row of tiles
  std::int64_t rows_image;       // rows of tiles in an image
  std::int64_t rows, blocks;     // rows of tiles in a block (they may belong to several images)
  std::int64_t strip;            // rows of tiles of one image that are laid out together
  std::int64_t tiles;            // of a block
  std::int64_t u_plane, u_size;  // transformed filters: one product's, and a group's
  std::int64_t v_plane, m_plane, ldm;
  std::int64_t pitch;  // pixels in a row of a padded strip

  explicit Plan(const Conv2dShape& s) {
    c = s.c / s.groups;
    k = s.k / s.groups;
    panels = ceil_div(k, cols);
    tiles_w = ceil_div(s.window.w.out, winograd_out);
    rows_image = ceil_div(s.window.h.out, winograd_out);
    const std::int64_t all = s.n * rows_image;
    std::int64_t target = 112;
    while (target > 4 * Blocking<T>::rows && ceil_div(all * tiles_w, target) * s.groups < 16)
      target -= Blocking<T>::rows;
    rows = smaller(all, larger(1, target / tiles_w));
    blocks = ceil_div(all, rows);
    rows = ceil_div(all, blocks);
    blocks = ceil_div(all, rows);
    tiles = rows * tiles_w;
    strip = smaller(rows_image, larger(1, 32 / tiles_w));
    pitch = winograd_out * tiles_w + 2;
    // One product's share ends with an odd number of cache lines, so that the 36 do not meet in the
    // same sets of the cache.
    constexpr std::int64_t line = 64 / sizeof(T);
    u_plane = panels * cols * smaller(c, depth) + line;
    u_size = ceil_div(c, depth) * winograd_products * u_plane;
    v_plane = tiles * Blocking<T>::row_stride + line;
    ldm = panels * cols;
    m_plane = tiles * ldm + line;
  }
  std::int64_t v_size() const { return winograd_products * v_plane; }
  std::int64_t m_size() const { return winograd_products * m_plane; }
  std::int64_t flat_size(const Conv2dShape& s) const {
    const std::int64_t in = smaller(s.window.h.in, winograd_out * strip + 2) * s.window.w.in;
    return larger(in, winograd_out * strip * s.window.w.out) * width;
  }
  std::int64_t padded_size() const { return (winograd_out * strip + 2) * pitch * width; }
};

// u[pass, product, panel, c, k of the panel] = (G w G^T)[k, c]. A filter [k, c] lies at
// k * stride_k + c * stride_c. Lanes are output channels.
template <class T>
void transform_filters(const Plan<T>& plan, std::int64_t panel, const T* w, std::int64_t stride_k,
                       std::int64_t stride_c, bool turned, T* u) {
  constexpr int cols = Plan<T>::cols, width = Plan<T>::width, depth = Plan<T>::depth;
  alignas(64) T taps[9 * cols];
  for (int i = 0; i < 9 * cols; ++i) taps[i] = 0;
  const std::int64_t first = panel * cols, count = smaller(cols, plan.k - first);
  w += first * stride_k;
  for (std::int64_t p = 0; p < plan.c; p += depth) {
    const std::int64_t steps = smaller(depth, plan.c - p);
    T* to = u + p / depth * winograd_products * plan.u_plane + panel * steps * cols;
    for (std::int64_t s = 0; s < steps; ++s, to += cols) {
      transpose(count, 9, w + (p + s) * stride_c, stride_k, taps, cols);
      for (int v = 0; v < cols; v += width)
        filter_tile<T>(taps + v, cols, turned, to + v, plan.u_plane);
    }
  }
}

// A run of rows of tiles within one image, and in the block: rows [row, row + count) of tiles.
struct StripOfTiles {
  std::int64_t n, row, count, first_tile;
};

template <class T, class F>
LIMULUS_INLINE void for_strips(const Plan<T>& plan, std::int64_t begin, std::int64_t end, F f) {
  for (std::int64_t at = begin; at < end;) {
    const std::int64_t row = at % plan.rows_image;
    const std::int64_t count = smaller(smaller(plan.strip, plan.rows_image - row), end - at);
    f(StripOfTiles{at / plan.rows_image, row, count, (at - begin) * plan.tiles_w});
    at += count;
  }
}

// v[product, tile, channel] = (B^T d B)[channel] for `channels` channels (at most a pass) from x
template <class T>
void transform_input(const Plan<T>& plan, const Conv2dShape& s, const StripOfTiles& strip,
                     const T* x, std::int64_t channels, T* flat, T* padded, T* v) {
  constexpr int width = Plan<T>::width;
  const Window1d &wh = s.window.h, &ww = s.window.w;
  const std::int64_t pixels = wh.in * ww.in, pitch = plan.pitch * width;
  const std::int64_t top = strip.row * winograd_out - wh.pad;
  const std::int64_t in_rows = winograd_out * strip.count + 2;
  const std::int64_t begin = smaller(larger(0, -top), in_rows);
  const std::int64_t end = larger(begin, smaller(in_rows, wh.in - top));
  const std::int64_t left = smaller(ww.pad, plan.pitch);
  const std::int64_t inside = smaller(ww.in, plan.pitch - left);
  for (std::int64_t i = 0; i < in_rows * pitch; ++i) padded[i] = 0;
  for (std::int64_t c = 0; c < channels; c += width) {
    transpose(smaller(width, channels - c), (end - begin) * ww.in,
              x + c * pixels + (top + begin) * ww.in, pixels, flat, width);
    for (std::int64_t i = begin; i < end; ++i)
      copy_row(inside * width, flat + (i - begin) * ww.in * width,
               padded + i * pitch + left * width);
    T* to = v + strip.first_tile * Blocking<T>::row_stride + c;
    for (std::int64_t row = 0; row < strip.count; ++row)
      for (std::int64_t t = 0; t < plan.tiles_w; ++t, to += Blocking<T>::row_stride)
        input_tile<T>(padded + winograd_out * (row * pitch + t * width), pitch, to, plan.v_plane);
  }
}

// m[product] [tiles, k] = v[product] [tiles, c] u[product] [c, k], or += with `add`
template <class T>
void multiply(const Plan<T>& plan, std::int64_t tiles, std::int64_t steps, const T* v, const T* u,
              bool add, T* m) {
  constexpr int cols = Plan<T>::cols, stride = Blocking<T>::row_stride;
  const std::int64_t height = ceil_div(tiles, ceil_div(tiles, Blocking<T>::rows));
  for (int p = 0; p < winograd_products;
       ++p, v += plan.v_plane, u += plan.u_plane, m += plan.m_plane)
    for (std::int64_t k = 0; k < plan.k; k += cols)
      for (std::int64_t t = 0; t < tiles; t += height)
        multiply_tile<T>(static_cast<int>(smaller(height, tiles - t)), steps, v + t * stride,
                         u + k * steps,
                         {m + t * plan.ldm + k, plan.ldm,
                          static_cast<int>(smaller(cols, plan.k - k)), add, nullptr});
}

// y[k, oh, ow] = b[k] + (A^T m A)[oh, ow]
template <class T>
void transform_output(const Plan<T>& plan, const Conv2dShape& s, const StripOfTiles& strip,
                      const T* m, const T* b, T* flat, T* y) {
  using V = Vec<T>;
  constexpr int width = Plan<T>::width;
  const Window1d &wh = s.window.h, &ww = s.window.w;
  const std::int64_t positions = wh.out * ww.out, pitch = ww.out * width;
  const std::int64_t oh = strip.row * winograd_out;
  const std::int64_t rows = smaller(winograd_out * strip.count, wh.out - oh);
  for (std::int64_t k = 0; k < plan.k; k += width) {
    const std::int64_t count = smaller(width, plan.k - k);
    const V bias = b ? V::load_n(b + k, static_cast<int>(count)) : V::zero();
    const T* from = m + strip.first_tile * plan.ldm + k;
    for (std::int64_t i = 0; i < rows; i += winograd_out)
      for (std::int64_t j = 0; j < ww.out; j += winograd_out, from += plan.ldm)
        output_tile<T>(from, plan.m_plane, bias, static_cast<int>(smaller(winograd_out, rows - i)),
                       static_cast<int>(smaller(winograd_out, ww.out - j)),
                       flat + i * pitch + j * width, pitch);
    transpose(rows * ww.out, count, flat, width, y + k * positions + oh * ww.out, positions);
  }
}

}  // namespace

template <class T>
void conv2d_winograd(const Context& ctx, const Conv2dShape& s, const T* x, const T* w, bool turned,
                     const T* b, T* y) {
  const Window1d &wh = s.window.h, &ww = s.window.w;
  if (s.n * s.k * wh.out * ww.out == 0) return;
  const Plan<T> plan(s);
  const std::int64_t u_bytes = bytes_of<T>(s.groups * plan.u_size);
  const std::int64_t v_bytes = bytes_of<T>(plan.v_size()), m_bytes = bytes_of<T>(plan.m_size());
  const std::int64_t flat_bytes = bytes_of<T>(plan.flat_size(s));
  const std::int64_t bytes = v_bytes + m_bytes + flat_bytes + bytes_of<T>(plan.padded_size());
  const Scratch scratch(ctx, u_bytes + ctx.threads * bytes);
  T* u = scratch.as<T>();
  char* memory = scratch.as<char>() + u_bytes;

  // Turned, w is [c of this call, k/groups, 3, 3].
  const std::int64_t stride_k = turned ? 9 : plan.c * 9, stride_c = turned ? plan.k * 9 : 9;
  const Plan<T>* p = &plan;
  parallel_for(ctx, s.groups * plan.panels, u_bytes, [=](std::int64_t task, int) {
    const std::int64_t group = task / p->panels;
    transform_filters(*p, task % p->panels, w + group * p->k * p->c * 9, stride_k, stride_c, turned,
                      u + group * p->u_size);
  });

  const std::int64_t work = s.n * s.k * wh.out * ww.out * plan.c;
  parallel_for(ctx, plan.blocks * s.groups, work, [=, &s](std::int64_t task, int thread) {
    const std::int64_t group = task % s.groups, begin = task / s.groups * p->rows;
    const std::int64_t end = smaller(begin + p->rows, s.n * p->rows_image);
    char* mine = memory + thread * bytes;
    T* v = reinterpret_cast<T*>(mine);
    T* m = reinterpret_cast<T*>(mine + v_bytes);
    T* flat = reinterpret_cast<T*>(mine + v_bytes + m_bytes);
    T* padded = reinterpret_cast<T*>(mine + v_bytes + m_bytes + flat_bytes);
    const std::int64_t in = s.window.h.in * s.window.w.in, out = s.window.h.out * s.window.w.out;
    for (std::int64_t c = 0; c < p->c; c += Plan<T>::depth) {
      const std::int64_t steps = smaller(Plan<T>::depth, p->c - c);
      for_strips(*p, begin, end, [=, &s](const StripOfTiles& strip) {
        transform_input(*p, s, strip, x + (strip.n * s.c + group * p->c + c) * in, steps, flat,
                        padded, v);
      });
      multiply(*p, (end - begin) * p->tiles_w, steps, v,
               u + group * p->u_size + c / Plan<T>::depth * winograd_products * p->u_plane, c > 0,
               m);
    }
    for_strips(*p, begin, end, [=, &s](const StripOfTiles& strip) {
      transform_output(*p, s, strip, m, b ? b + group * p->k : nullptr, flat,
                       y + (strip.n * s.k + group * p->k) * out);
    });
  });
}

template void conv2d_winograd<float>(const Context&, const Conv2dShape&, const float*, const float*,
                                     bool, const float*, float*);
template void conv2d_winograd<double>(const Context&, const Conv2dShape&, const double*,
                                      const double*, bool, const double*, double*);

}  // namespace limulus::cpu::LIMULUS_ISA

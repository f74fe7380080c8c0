#pragma once
// Where the pixels of a convolution without a stride come from, and what its filters are made of:
// an image as it lies in memory, or one that is rearranged because there was a stride.
//
// A convolution with a stride is a convolution without one, over more channels. Number pixels and
// taps by quotient and remainder of the stride, pixel S i + p of the padded image and tap S a + p.
// Then
//
//     y[oh] = sum over f of x[S oh + f] w[f] = sum over p, a of x[S (oh + a) + p] w[S a + p]
//           = sum over p of the convolution of x_p[i] = x[S i + p] with w_p[a] = w[S a + p]
//
// has a stride of 1. In two dimensions the pixels go to S * S smaller images in turn, as cards are
// dealt. These are as many channels, and a filter of F taps becomes filters of ceil(F / S). The
// rearrangement is known as space-to-depth, and the parts of the filter as its polyphase
// components. AlexNet's first layer, 11 x 11 taps over 3 channels in steps of 4, becomes 3 x 3 taps
// over 48 channels: 432 taps rather than 363, since the twelfth row and column are zeros.
//
// What is won: to 3 x 3 taps Winograd's products apply. A tile of 5 x 5 outputs takes 49
// multiplications per channel and filter where the rearranged convolution takes 25 * 9. conv1's
// 55 x 55 outputs are 11 x 11 tiles, none over the edge, and its 363 multiplications per output and
// filter become 49 * 48 / 25 = 94, or 91 without those that are by zero (SpaceToDepth, below).
#include "backends/convolution.h"
#include "backends/cpu/kernels/winograd/tiles.h"

namespace limulus::cpu::LIMULUS_ISA {

// How many pixels of an axis lie before the end of the last window. What is behind no window reads,
// and a tile must not either.
LIMULUS_INLINE std::int64_t pixels_read(const Window1d& a) {
  const std::int64_t end = (a.out - 1) * a.stride + (a.kernel - 1) * a.dilation + 1 - a.pad;
  return larger(0, smaller(a.in, end));
}

// The image and the filters as they are. Filters: [k, c, taps, taps] or, `flipped`, [c, k, taps,
// taps] with their taps to be read from the last to the first; or `packed`, [group, panel, c, taps,
// taps, k of the panel].
template <class T>
struct PlainImage {
  static constexpr int cols = Blocking<T>::cols, width = Vec<T>::width, channels_at_once = width;
  Window1d h, w;
  std::int64_t channels;  // of an image
  std::int64_t k, c;      // of a group
  std::int64_t area;      // taps of a filter
  bool flipped, packed;

  PlainImage(const Conv2dShape& s, bool flip)
      : h(s.window.h),
        w(s.window.w),
        channels(s.c),
        k(s.k / s.groups),
        c(s.c / s.groups),
        area(h.kernel * w.kernel),
        flipped(flip),
        packed(s.packed) {}
  std::int64_t pixels() const { return h.in * w.in; }
  std::int64_t image_size() const { return channels * pixels(); }

  // strip[i, j, lane]: rows [row, row + rows) of the padded image, channels [begin, end). Zeros
  // stand where there is no image, or where no window reads it (if `ready`, they are there
  // already), and in lanes without a channel (why not what was left there: clear_columns, pack.h).
  void lay_out(const T* x, std::int64_t begin, std::int64_t end, std::int64_t row,
               std::int64_t rows, std::int64_t columns, bool ready, T* flat, T* strip) const {
    const std::int64_t lanes = end - begin, top = row - h.pad, left = -w.pad;
    const std::int64_t above = smaller(larger(0, -top), rows);
    const std::int64_t below = larger(above, smaller(rows, pixels_read(h) - top));
    const std::int64_t first = smaller(larger(0, -left), columns);
    const std::int64_t last = larger(first, smaller(columns, pixels_read(w) - left));
    if (!ready)
      for (std::int64_t i = 0; i < rows * columns * width; ++i) strip[i] = 0;
    if (lanes < width)
      for (std::int64_t i = 0; i < (below - above) * w.in * width; ++i) flat[i] = 0;
    transpose(lanes, (below - above) * w.in, x + begin * pixels() + (top + above) * w.in, pixels(),
              flat, width);
    for (std::int64_t i = above; i < below; ++i)
      copy_row((last - first) * width, flat + ((i - above) * w.in + left + first) * width,
               strip + (i * columns + first) * width);
  }

  // to[channel, tap, k of the panel] for channels [begin, begin + count). from: a group's filters.
  void gather(const T* from, std::int64_t panel, std::int64_t begin, std::int64_t count,
              T* to) const {
    const std::int64_t first = panel * cols, rows = smaller(cols, k - first);
    if (rows < cols)
      for (std::int64_t i = 0; i < count * area * cols; ++i) to[i] = 0;
    if (!flipped)
      return transpose(rows, count * area, from + (first * c + begin) * area, c * area, to, cols);
    for (std::int64_t i = 0; i < count; ++i)
      transpose(rows, area, from + ((begin + i) * k + first) * area, area, to + i * area * cols,
                cols);
  }
  void scatter(const T* from, std::int64_t panel, std::int64_t begin, std::int64_t count,
               T* dw) const {
    const std::int64_t first = panel * cols;
    transpose(count * area, smaller(cols, k - first), from, cols, dw + (first * c + begin) * area,
              c * area);
  }
};

// The image rearranged. Channel (p, c, q) has remainder p in h and q in w, in this order: the rows
// with the largest remainder stand last. Their last tap may be one of the added zeros, and the last
// point, infinity, sees the last tap alone: then there is nothing to multiply. (conv1: 7 of the 49
// products are sums over 36 channels instead of 48.)
template <class T>
struct SpaceToDepth {
  static constexpr int cols = Blocking<T>::cols, width = Vec<T>::width, taps = 3;
  static constexpr int channels_at_once = few_channels;
  static constexpr bool flipped = false, packed = false;
  Window1d h, w;
  std::int64_t c, k;

  explicit SpaceToDepth(const Conv2dShape& s) : h(s.window.h), w(s.window.w), c(s.c), k(s.k) {}
  std::int64_t pixels() const { return h.in * w.in; }
  std::int64_t image_size() const { return c * pixels(); }
  std::int64_t seen_at_infinity() const {
    return c * w.stride * smaller(h.stride, h.kernel - (taps - 1) * h.stride);
  }

  struct Channel {
    std::int64_t p, c, q;
  };
  Channel channel(std::int64_t i) const {
    return {i / (w.stride * c), i / w.stride % c, i % w.stride};
  }

  // As in PlainImage, but from the rearranged image, and with all channels at once: strip[register
  // of channels, i, j, lane]. The image is then read in order, and prefetched in time. (With one
  // register of channels after another it took half as long again.)
  void lay_out(const T* x, std::int64_t begin, std::int64_t end, std::int64_t row,
               std::int64_t rows, std::int64_t columns, bool, T*, T* strip) const {
    const std::int64_t rows_read = pixels_read(h), columns_read = pixels_read(w);
    const std::int64_t plane = rows * columns * width, lanes = (end - begin) % width;
    if (lanes != 0)
      for (T *last = strip + (end - begin) / width * plane, *to = last; to < last + plane;)
        *to++ = 0;
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t q = begin; q < end; q += w.stride) {
        const Channel from = channel(q);
        const std::int64_t y = (row + i) * h.stride + from.p - h.pad;
        const bool inside = y >= 0 && y < rows_read;
        T* to = strip + (q - begin) / width * plane + i * columns * width + (q - begin) % width;
        lay_row(inside ? x + from.c * pixels() + y * w.in : nullptr, columns_read, columns, to);
      }
  }
  // One image row, or none: lanes [0, S) of new pixel j are its padded pixels S j .. S j + S - 1.
  void lay_row(const T* row, std::int64_t in, std::int64_t columns, T* to) const {
    if (w.stride == 4)
      row_to_depth<4>(row, row == nullptr ? 0 : in, columns, to);
    else
      row_to_depth<2>(row, row == nullptr ? 0 : in, columns, to);
  }
  template <int S>
  void row_to_depth(const T* row, std::int64_t in, std::int64_t columns, T* to) const {
    std::int64_t j = 0;
    const auto piece = [=, pad = w.pad](std::int64_t at) {  // some of its pixels lie outside
      for (std::int64_t p = 0; p < S; ++p) {
        const std::int64_t pixel = at * S + p - pad;
        to[at * width + p] = pixel >= 0 && pixel < in ? row[pixel] : T(0);
      }
    };
    const std::int64_t begin = smaller(columns, ceil_div(w.pad, S));
    const std::int64_t end = larger(begin, smaller(columns, (in + w.pad) / S));
    for (; j < begin; ++j) piece(j);
    for (const T* from = row + j * S - w.pad; j < end; ++j, from += S)
      __builtin_memcpy(to + j * width, from, S * sizeof(T));
    for (; j < columns; ++j) piece(j);
  }

  // f(tap of the rearranged filter, tap of the filter) for the taps of a channel that exist
  template <class F>
  LIMULUS_INLINE void for_taps(const Channel& of, F f) const {
    for (std::int64_t a = 0; of.p + a * h.stride < h.kernel; ++a)
      for (std::int64_t b = 0; of.q + b * w.stride < w.kernel; ++b)
        f(taps * a + b, (of.p + a * h.stride) * w.kernel + of.q + b * w.stride);
  }
  void gather(const T* from, std::int64_t panel, std::int64_t begin, std::int64_t count,
              T* to) const {
    const std::int64_t first = panel * cols, rows = smaller(cols, k - first);
    const std::int64_t area = h.kernel * w.kernel;
    for (std::int64_t i = 0; i < count * taps * taps * cols; ++i) to[i] = 0;
    for (std::int64_t i = 0; i < count; ++i, to += taps * taps * cols) {
      const Channel of = channel(begin + i);
      for_taps(of, [=, this](std::int64_t tap, std::int64_t filter_tap) {
        const T* tap_of = from + (first * c + of.c) * area + filter_tap;
        for (std::int64_t j = 0; j < rows; ++j) to[tap * cols + j] = tap_of[j * c * area];
      });
    }
  }
  void scatter(const T* from, std::int64_t panel, std::int64_t begin, std::int64_t count,
               T* dw) const {
    const std::int64_t first = panel * cols, rows = smaller(cols, k - first);
    const std::int64_t area = h.kernel * w.kernel;
    for (std::int64_t i = 0; i < count; ++i, from += taps * taps * cols) {
      const Channel of = channel(begin + i);
      for_taps(of, [=, this](std::int64_t tap, std::int64_t filter_tap) {
        T* tap_of = dw + (first * c + of.c) * area + filter_tap;
        for (std::int64_t j = 0; j < rows; ++j) tap_of[j * c * area] = from[tap * cols + j];
      });
    }
  }
};

// The parts in which an image of few channels is taken: rows of tiles, about 56 tiles or fewer (14
// to 196 were equally fast within 8 %, 56 to 70 the best), at least `least` parts.
template <class T>
struct Parts {
  std::int64_t count, rows;
  template <int Depth>
  Parts(Tiling<T, Depth>* t, std::int64_t least) : rows(t->per_image) {
    count = smaller(rows, larger(least, ceil_div(rows * t->tiles, 56)));
    t->set_block(ceil_div(rows, count));
  }
  std::int64_t begin(std::int64_t part) const { return rows * part / count; }
};

}  // namespace limulus::cpu::LIMULUS_ISA

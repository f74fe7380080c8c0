#pragma once
// A convolution with a stride is a convolution without one, over more channels.
//
// Number pixels and taps by quotient and remainder of the stride, pixel S i + p of the padded image
// and tap S a + p. Then
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
// What is won: to 3 x 3 taps Winograd's products apply (winograd.h). A tile of 5 x 5 outputs takes
// 49 multiplications per channel and filter where the rearranged convolution takes 25 * 9. conv1's
// 55 x 55 outputs are 11 x 11 tiles, none over the edge, and its 363 multiplications per output and
// filter become 91.
//
// (The last point, infinity, sees the last tap alone: where that is one of the added zeros there is
// nothing to multiply. Channels are ordered so that the rows with remainder 3 stand last: 7 of the
// 49 products are sums over 36 channels instead of 48.)
//
// Measured (one core of an AMD EPYC, Zen 5, batch 32, processor time), directly and so, ms:
//                                AVX2          AVX-512
//     conv1, forward             60.3, 18.4    32.1, 11.2
//     conv1, weight gradient     62.4, 18.7    32.9, 12.4
// (With six points, and tiles of 4 x 4, 12.3 and 14.0 with AVX-512.) On two cores: 5.7 and 6.4.
#include "backends/cpu/kernels/matmul/gemm.h"
#include "backends/cpu/kernels/winograd/winograd.h"

namespace limulus::cpu::LIMULUS_ISA {

// Most channels after space-to-depth, so that the distance of two tiles is a constant of the
// program.
constexpr std::int64_t most_channels = 48;

constexpr std::int64_t tile_side = tile_out<3>;  // a tile's width in outputs

// Sizes of a call.
template <class T>
struct SpaceToDepth {
  static constexpr int width = Vec<T>::width, cols = Blocking<T>::cols;
  static constexpr std::int64_t line = 64 / sizeof(T);
  Window1d h, w;
  std::int64_t c, k, panels;  // panels of `cols` output channels
  std::int64_t channels, seen_at_infinity;
  std::int64_t tiles_w, rows;  // tiles in a row of tiles, and rows of tiles of an image
  std::int64_t parts;          // an image's rows of tiles are cut into so many tasks
  std::int64_t part_rows;      // at most, of a part
  std::int64_t pitch;          // rearranged pixels of a row that its tiles see

  // An image is cut into at least `least` parts, of about 56 tiles or fewer. (14 to 196 tiles were
  // equally fast within 8 %, 56 to 70 the best.)
  SpaceToDepth(const Conv2dShape& s, std::int64_t least)
      : h(s.window.h), w(s.window.w), c(s.c), k(s.k) {
    panels = ceil_div(k, cols);
    channels = c * h.stride * w.stride;
    seen_at_infinity = c * w.stride * smaller(h.stride, larger(0, h.kernel - 2 * h.stride));
    tiles_w = ceil_div(w.out, tile_side);
    rows = ceil_div(h.out, tile_side);
    parts = smaller(rows, larger(least, ceil_div(rows * tiles_w, 56)));
    part_rows = ceil_div(rows, parts);
    pitch = tile_side * tiles_w + 2;
  }
  std::int64_t part_begin(std::int64_t part) const { return rows * part / parts; }
  std::int64_t part_tiles() const { return part_rows * tiles_w; }
  // How many channels the products of one row of points sum over.
  std::int64_t seen(int product) const {
    return product / tile_in == tile_in - 1 ? seen_at_infinity : channels;
  }
  // One product's share ends with an odd number of cache lines, so that the 49 do not meet in the
  // same sets of the cache.
  std::int64_t v_plane() const { return part_tiles() * most_channels + line; }
  std::int64_t m_plane() const { return part_tiles() * cols + line; }
  std::int64_t u_panel() const { return tile_products * channels * cols; }
  std::int64_t vectors() const { return ceil_div(channels, width); }
  std::int64_t vector_plane() const {  // of a strip, one vector of channels
    return (tile_side * part_rows + 2) * pitch * width;
  }
};

// What a thread holds: the transformed tiles of a task, the products of one panel (before there are
// any, the strip lies there), and one row of tiles of outputs with the channels in the lanes.
template <class T>
struct SpaceToDepthMemory {
  T *v, *m, *flat;

  static std::int64_t v_bytes(const SpaceToDepth<T>& d) {
    return bytes_of<T>(tile_products * d.v_plane());
  }
  static std::int64_t m_bytes(const SpaceToDepth<T>& d) {
    return bytes_of<T>(larger(tile_products * d.m_plane(), d.vectors() * d.vector_plane()));
  }
  static std::int64_t bytes(const SpaceToDepth<T>& d) {
    return v_bytes(d) + m_bytes(d) + bytes_of<T>(tile_side * d.w.out * SpaceToDepth<T>::width);
  }
  SpaceToDepthMemory(const SpaceToDepth<T>& d, char* memory)
      : v(reinterpret_cast<T*>(memory)),
        m(reinterpret_cast<T*>(memory + v_bytes(d))),
        flat(reinterpret_cast<T*>(memory + v_bytes(d) + m_bytes(d))) {}
};

// One image row is rearranged: lanes [lane, lane + S) of the new pixel j are its padded pixels S j
// .. S j + S - 1. to: new pixel j at j * width.
template <class T, int S>
void row_to_depth(const T* row, std::int64_t in, std::int64_t pad, std::int64_t n, T* to) {
  constexpr int width = Vec<T>::width;
  std::int64_t j = 0;
  const auto piece = [=](std::int64_t at) {  // some of its pixels lie outside
    for (std::int64_t p = 0; p < S; ++p) {
      const std::int64_t pixel = at * S + p - pad;
      to[at * width + p] = pixel >= 0 && pixel < in ? row[pixel] : T(0);
    }
  };
  const std::int64_t begin = smaller(n, ceil_div(pad, S));
  const std::int64_t end = larger(begin, smaller(n, (in + pad) / S));
  for (; j < begin; ++j) piece(j);
  for (const T* from = row + j * S - pad; j < end; ++j, from += S)
    __builtin_memcpy(to + j * width, from, S * sizeof(T));
  for (; j < n; ++j) piece(j);
}

// Lays out what the tiles of rows [row, row + count) see, [vector of channels, i, j, lane], with
// channel (p, c, q) of remainder p in h and q in w. x: one image. Zeros are what no window reads
// (the last tiles would multiply it by the filters' added zeros), and lanes beyond the last
// channel.
template <class T>
void space_to_depth(const SpaceToDepth<T>& d, const T* x, std::int64_t row, std::int64_t count,
                    T* strip) {
  constexpr int width = SpaceToDepth<T>::width;
  const std::int64_t sh = d.h.stride, sw = d.w.stride, pixels = d.h.in * d.w.in;
  const std::int64_t rows_read = pixels_read(d.h), columns_read = pixels_read(d.w);
  if (d.channels % width != 0) {
    T* last = strip + (d.vectors() - 1) * d.vector_plane();
    for (std::int64_t i = 0; i < (tile_side * count + 2) * d.pitch * width; ++i) last[i] = 0;
  }
  for (std::int64_t i = 0; i < tile_side * count + 2; ++i)
    for (std::int64_t p = 0; p < sh; ++p) {
      const std::int64_t y = (tile_side * row + i) * sh + p - d.h.pad;
      const bool inside = y >= 0 && y < rows_read;
      for (std::int64_t c = 0; c < d.c; ++c) {
        const std::int64_t channel = (p * d.c + c) * sw;
        T* to = strip + channel / width * d.vector_plane() + i * d.pitch * width + channel % width;
        const T* from = x + c * pixels + y * d.w.in;
        const std::int64_t in = inside ? columns_read : 0;  // a row beyond the edge is empty
        if (sw == 4)
          row_to_depth<T, 4>(from, in, d.w.pad, d.pitch, to);
        else
          row_to_depth<T, 2>(from, in, d.w.pad, d.pitch, to);
      }
    }
}

// v[product, tile, channel] = (B^T d B)[channel] of the tiles of a strip
template <class T>
void transform_tiles(const SpaceToDepth<T>& d, const T* strip, std::int64_t count, T* v) {
  constexpr int width = SpaceToDepth<T>::width;
  for (std::int64_t q = 0; q < d.vectors(); ++q, strip += d.vector_plane()) {
    T* to = v + q * width;
    for (std::int64_t row = 0; row < count; ++row)
      for (std::int64_t t = 0; t < d.tiles_w; ++t, to += most_channels) {
        const T* from = strip + tile_side * (row * d.pitch + t) * width;
        both_axes<T, tile_in, tile_in>(
            [](const Vec<T>* a, Vec<T>* out) { points_of_input<T>(a, out); },
            [=, pitch = d.pitch](int i, int j) {
              return Vec<T>::load(from + (i * pitch + j) * width);
            },
            [=, plane = d.v_plane()](int i, int j, Vec<T> a) {
              a.store(to + (tile_in * i + j) * plane);
            });
      }
  }
}

// c[r, 0 .. cols) = sum over s < steps of a[r * RowStep + s * Step] b[s, 0 .. cols), or += with
// `add`. The register tile of tile.h, with distances that are constants: those of the new channels.
template <class T, int RowStep, int Step, int Rows>
void multiply_points(std::int64_t steps, const T* a, const T* b, bool add, T* c) {
  using V = Vec<T>;
  constexpr int cols = Blocking<T>::cols;
  V acc[Rows][2];
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) acc[r][0] = acc[r][1] = V::zero();
#pragma GCC unroll 2
  for (std::int64_t s = 0; s < steps; ++s, a += Step, b += cols) {
    const V left = V::load(b), right = V::load(b + V::width);
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
      const V x = V::set(a[r * RowStep]);
      acc[r][0] = fma(x, left, acc[r][0]);
      acc[r][1] = fma(x, right, acc[r][1]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r, c += cols)
    for (int v = 0; v < 2; ++v) {
      T* at = c + v * V::width;
      (add ? acc[r][v] + V::load(at) : acc[r][v]).store(at);
    }
}

template <class T, int RowStep, int Step, int Rows = Blocking<T>::rows>
LIMULUS_INLINE void multiply_points(int rows, std::int64_t steps, const T* a, const T* b, bool add,
                                    T* c) {
  if constexpr (Rows > 0) {
    if (rows != Rows) return multiply_points<T, RowStep, Step, Rows - 1>(rows, steps, a, b, add, c);
    multiply_points<T, RowStep, Step, Rows>(steps, a, b, add, c);
  }
}

}  // namespace limulus::cpu::LIMULUS_ISA

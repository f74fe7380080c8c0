#pragma once
// How an image is cut into tiles, and the tiles' way to the seven points and back.
//
// All transforms have channels in the lanes of a register: a tile's 49 pixels are 49 registers, no
// lane is idle at a ragged edge, and a pixel beyond it is a register of zeros. Since an image has
// its channels far apart, a strip of it is transposed first ([channel, pixel] to [pixel,
// channel]), and so are the outputs at the end: about a quarter of a cycle per number.
//
// A strip is some rows of tiles of one image, about 32 tiles: conv3's whole map, a third of
// conv2's. A block is as many strips as have their transformed tiles, all channels, in L3 together.
#include "backends/cpu/kernels/winograd/winograd.h"

namespace limulus::cpu::LIMULUS_ISA {

// The images' tiles at the seven points: v[group, pass, product, tile, channel], where a pass holds
// as many channels as a row of the register tile's left operand. Few channels leave most of such a
// row empty: then it holds several products, one after the other.
template <class T>
struct Tiling {
  static constexpr int width = Vec<T>::width, depth = Blocking<T>::depth;
  static constexpr int stride = Blocking<T>::row_stride;
  static constexpr std::int64_t line = 64 / sizeof(T);
  static constexpr int chunk_channels = 2 * line;  // of a task that transforms

  Conv2dShape s;
  int taps, out;                // 3 and 5, or 5 and 3
  std::int64_t c;               // channels of a group
  std::int64_t tiles_w;         // tiles in a row of tiles
  std::int64_t rows;            // rows of tiles in a strip
  std::int64_t tiles;           // of a strip
  std::int64_t per_image, all;  // strips
  std::int64_t block;           // strips of a block
  std::int64_t lanes,
      per_row;  // channels of a product in a row, and products in a row
  std::int64_t plane, pass_size, group_size;
  std::int64_t offset[tile_products];  // of a product in a pass

  Tiling(const Conv2dShape& shape, std::int64_t most_tiles, std::int64_t most_bytes) : s(shape) {
    taps = static_cast<int>(s.window.h.kernel);
    out = tile_in + 1 - taps;
    c = s.c / s.groups;
    tiles_w = ceil_div(s.window.w.out, out);
    const std::int64_t tiles_h = ceil_div(s.window.h.out, out);
    rows = smaller(tiles_h, larger(1, 32 / tiles_w));
    while (tiles_h % rows != 0) --rows;
    tiles = rows * tiles_w;
    per_image = tiles_h / rows;
    all = s.n * per_image;

    lanes = round_up(smaller(c, depth), width);
    per_row = larger(1, depth / lanes);
    const std::int64_t planes = ceil_div(tile_products, per_row), passes = ceil_div(c, depth);
    const std::int64_t tile_bytes =
        s.groups * passes * planes * stride * static_cast<std::int64_t>(sizeof(T));
    block = larger(1, smaller(most_tiles, most_bytes / tile_bytes) / tiles);
    block = ceil_div(all, ceil_div(all, block));
    // An odd number of cache lines: the products of a tile do not meet in the same sets of a cache.
    plane = block * tiles * stride + line;
    pass_size = planes * plane;
    group_size = passes * pass_size;
    for (int p = 0; p < tile_products; ++p) offset[p] = p / per_row * plane + p % per_row * lanes;
  }
  std::int64_t size() const { return s.groups * group_size; }
  // Where a tile's channel stands in its group, for product 0; the others are offset[p] further.
  std::int64_t at(std::int64_t tile, std::int64_t channel) const {
    return channel / depth * pass_size + tile * stride + channel % depth;
  }
  // A strip laid out with its padding, and its pixels or outputs transposed.
  std::int64_t pitch() const { return out * tiles_w + taps - 1; }
  std::int64_t padded_size() const { return (out * rows + taps - 1) * pitch() * width; }
  std::int64_t flat_size() const {
    const std::int64_t in = smaller(s.window.h.in, out * rows + taps - 1) * s.window.w.in;
    return larger(in, out * rows * s.window.w.out) * width;
  }
};

// Some maps of an image, h x w, and the part of them that is laid out: rows [top, top + rows) and
// columns [left, left + cols), with zeros where there is no image, or where no window reads it:
// below row read_h and right of column read_w.
struct Part2d {
  std::int64_t h, w, top, left, rows, cols, read_h, read_w;
};

// strip[row, column, lane]. What is beyond the image must be zero already, if `ready`. Lanes for
// which there is no map hold zeros (and not what was left there: clear_columns, pack.h, says why).
template <class T>
void lay_strip(const T* maps, std::int64_t count, const Part2d& a, bool ready, T* flat, T* strip) {
  constexpr int width = Vec<T>::width;
  const std::int64_t begin = smaller(larger(0, -a.top), a.rows);
  const std::int64_t end = larger(begin, smaller(a.rows, a.read_h - a.top));
  const std::int64_t first = smaller(larger(0, -a.left), a.cols);
  const std::int64_t last = larger(first, smaller(a.cols, a.read_w - a.left));
  if (!ready)
    for (std::int64_t i = 0; i < a.rows * a.cols * width; ++i) strip[i] = 0;
  if (count < width)
    for (std::int64_t i = 0; i < (end - begin) * a.w * width; ++i) flat[i] = 0;
  transpose(count, (end - begin) * a.w, maps + (a.top + begin) * a.w, a.h * a.w, flat, width);
  for (std::int64_t i = begin; i < end; ++i)
    copy_row((last - first) * width, flat + ((i - begin) * a.w + a.left + first) * width,
             strip + (i * a.cols + first) * width);
}

// v = B^T d B for strip `strip` of all, the block's `index`th, and channels [begin, end) of a group
template <class T>
void transform_strip(const Tiling<T>& t, const T* x, std::int64_t strip, std::int64_t index,
                     std::int64_t begin, std::int64_t end, T* flat, T* padded, T* v) {
  constexpr int width = Vec<T>::width;
  const Window1d &wh = t.s.window.h, &ww = t.s.window.w;
  const std::int64_t pitch = t.pitch() * width;
  const Part2d part{wh.in,
                    ww.in,
                    strip % t.per_image * t.rows * t.out - wh.pad,
                    -ww.pad,
                    t.rows * t.out + t.taps - 1,
                    t.pitch(),
                    pixels_read(wh),
                    pixels_read(ww)};
  x += strip / t.per_image * t.s.c * wh.in * ww.in;
  for (std::int64_t c = begin; c < end; c += width) {
    lay_strip(x + c * wh.in * ww.in, smaller(width, end - c), part, c > begin, flat, padded);
    for (std::int64_t tile = 0; tile < t.tiles; ++tile) {
      const T* from = padded + tile / t.tiles_w * t.out * pitch + tile % t.tiles_w * t.out * width;
      T* to = v + t.at(index * t.tiles + tile, c);
      both_axes<T, 7, 7>(
          [](const Vec<T>* d, Vec<T>* out) { points_of_input<T>(d, out); },
          [=](int i, int j) { return Vec<T>::load(from + i * pitch + j * width); },
          [=, &t](int i, int j, Vec<T> value) { value.store(to + t.offset[7 * i + j]); });
    }
  }
}

// The whole block, strips [begin, end). `memory` has `bytes` for each thread.
template <class T>
void transform_block(const Context& ctx, const Tiling<T>& tiling, const T* x, std::int64_t begin,
                     std::int64_t end, char* memory, std::int64_t bytes, T* v) {
  const std::int64_t chunk = Tiling<T>::chunk_channels, parts = ceil_div(tiling.c, chunk);
  const Tiling<T>* t = &tiling;
  parallel_for(
      ctx, (end - begin) * t->s.groups * parts, t->size() * 4, [=](std::int64_t task, int thread) {
        const std::int64_t part = task % parts, group = task / parts % t->s.groups;
        const std::int64_t index = task / parts / t->s.groups;
        T* flat = reinterpret_cast<T*>(memory + thread * bytes);
        transform_strip(*t, x + group * t->c * t->s.window.h.in * t->s.window.w.in, begin + index,
                        index, part * chunk, smaller(t->c, (part + 1) * chunk), flat,
                        flat + round_up(t->flat_size(), Tiling<T>::line),
                        v + group * t->group_size);
      });
}

}  // namespace limulus::cpu::LIMULUS_ISA

#pragma once
// How an image is cut into tiles, and the tiles' way to the points and back.
//
// All transforms have channels in the lanes of a register: a tile's 49 pixels are 49 registers, no
// lane is idle at a ragged edge, and a pixel beyond it is a register of zeros. Since an image has
// its channels far apart, a strip of it is laid out first, [row, column, lane], and the outputs are
// transposed back at the end: about a quarter of a cycle per number.
//
// Where the pixels come from is up to a small object (source.h): the image as it is, or rearranged
// for a stride. What it knows how to do:
//     lay_out     some rows of some channels, with their padding, to [row, column, lane]
//     gather      a panel's filters to [channel, tap, k of the panel]
//     scatter     the gradients of a panel's filters, back from there
#include "backends/cpu/kernels/winograd/transforms.h"

namespace limulus::cpu::LIMULUS_ISA {

// A strip of one image: its rows of tiles [row, row + rows).
struct TileRows {
  std::int64_t image, row, rows;
};

// A block is as many strips as have their transformed tiles, of all channels, in a cache together.
// These are the left operand of the matrix products:
//
//     v[group, pass, product, tile, channel]
//
// A pass holds `Depth` channels: 384 (floats), as in any matrix product, or few_channels, where
// there are no more (conv1): with rows of 384 conv1 took 3 % longer. Where channels leave most of a
// row empty, it holds several products, side by side (conv2, 48 channels a group: eight).
//
//     conv3, 256 channels, a pass                 conv2, 48 channels, a pass
//                <------ 384 ------>                         <------------ 384 ------------>
//     product 0  tile 0 [c0 .. c255    ]           tile 0    [p0, c0 .. c47][p1, c0 ..]..[p7 ..]
//                tile 1 [c0 .. c255    ]           tile 1    [p0, c0 .. c47][p1, c0 ..]..[p7 ..]
//                ..                                ..
//     product 1  tile 0 [c0 .. c255    ]           tile 0    [p8, c0 .. c47][p9, c0 ..]..[p15 .]
//                ..                                ..
//
// Rows are an odd number of cache lines long, so that neighbours do not meet in the same sets of a
// cache; and two products, here and in m, are a line further apart than their rows need.
constexpr int few_channels = 48;

template <class T, int Depth = Blocking<T>::depth>
struct Tiling {
  static constexpr int width = Vec<T>::width, depth = Depth;
  static constexpr int line = 64 / static_cast<int>(sizeof(T));
  static constexpr int row_size = depth + (depth / line % 2 == 0 ? line : 0);
  static constexpr int chunk_channels = 2 * line;  // of a task that transforms

  Conv2dShape s;                // without a stride
  int taps, out;                // 3 and 5, or 5 and 3
  std::int64_t c;               // channels of a group
  std::int64_t tiles_w;         // tiles in a row of tiles
  std::int64_t rows;            // rows of tiles in a strip
  std::int64_t tiles;           // of a strip
  std::int64_t per_image, all;  // strips
  std::int64_t block;           // strips of a block
  std::int64_t lanes;           // channels of a product in a row, filled up to whole registers
  std::int64_t per_row;         // products side by side in a row: 1 (conv3), 8 (conv2)
  std::int64_t planes;          // a plane, [tile, row], holds per_row products of all tiles
  std::int64_t plane;           // numbers from one plane to the next
  std::int64_t pass_size, group_size;
  std::int64_t offset[tile_products];  // of a product in a pass

  // Strips of about `strip_tiles` tiles: conv3's whole map, a third of conv2's, with 32.
  Tiling(const Conv2dShape& shape, std::int64_t strip_tiles) : s(shape) {
    taps = static_cast<int>(s.window.h.kernel);
    out = tile_in + 1 - taps;
    c = s.c / s.groups;
    tiles_w = ceil_div(s.window.w.out, out);
    const std::int64_t tiles_h = ceil_div(s.window.h.out, out);
    rows = smaller(tiles_h, larger(1, strip_tiles / tiles_w));
    while (tiles_h % rows != 0) --rows;
    tiles = rows * tiles_w;
    per_image = tiles_h / rows;
    all = s.n * per_image;
    lanes = round_up(smaller(c, depth), width);
    per_row = larger(1, depth / lanes);
    planes = ceil_div(tile_products, per_row);
    set_block(1);
  }
  // Blocks of at most so many tiles and bytes, and of nearly equal size.
  void set_largest_block(std::int64_t most_tiles, std::int64_t most_bytes) {
    const std::int64_t tile_bytes =
        s.groups * ceil_div(c, depth) * planes * row_size * static_cast<std::int64_t>(sizeof(T));
    const std::int64_t most = larger(1, smaller(most_tiles, most_bytes / tile_bytes) / tiles);
    set_block(ceil_div(all, ceil_div(all, most)));
  }
  void set_block(std::int64_t strips) {
    block = strips;
    plane = block * tiles * row_size + line;
    pass_size = planes * plane;
    group_size = ceil_div(c, depth) * pass_size;
    for (int p = 0; p < tile_products; ++p) offset[p] = p / per_row * plane + p % per_row * lanes;
  }
  std::int64_t size() const { return s.groups * group_size; }
  // Where a tile's channel stands in its group, for product 0; the others are offset[p] further.
  std::int64_t at(std::int64_t tile, std::int64_t channel) const {
    return channel / depth * pass_size + tile * row_size + channel % depth;
  }
  TileRows strip(std::int64_t i) const { return {i / per_image, i % per_image * rows, rows}; }
  // Some rows of tiles of some channels, laid out with their padding, and the pixels or outputs of
  // a strip transposed.
  std::int64_t padded_rows(std::int64_t count) const { return out * count + taps - 1; }
  std::int64_t pitch() const { return out * tiles_w + taps - 1; }
  std::int64_t padded_size(std::int64_t count, std::int64_t channels) const {
    return padded_rows(count) * pitch() * round_up(channels, width);
  }
  std::int64_t flat_size() const {
    const std::int64_t in = smaller(s.window.h.in, padded_rows(rows)) * s.window.w.in;
    return larger(in, out * rows * s.window.w.out) * width;
  }
  std::int64_t strip_size() const { return round_up(flat_size(), line) + padded_size(rows, 1); }
};

// v = B^T d B for the tiles of a strip, the block's `tile`th and following, and channels [begin,
// end) of a group. x: the group's first channel of the first image.
template <class T, int Depth, class Source>
void transform_strip(const Tiling<T, Depth>& t, const Source& source, const T* x,
                     const TileRows& at, std::int64_t tile, std::int64_t begin, std::int64_t end,
                     T* flat, T* padded, T* v) {
  using V = Vec<T>;
  constexpr int width = V::width, at_once = Source::channels_at_once;
  const std::int64_t out = t.out, pitch = t.pitch() * width, next = t.padded_rows(at.rows) * pitch;
  x += at.image * source.image_size();
  for (std::int64_t first = begin; first < end; first += at_once) {
    const std::int64_t last = smaller(end, first + at_once);
    source.lay_out(x, first, last, at.row * out, t.padded_rows(at.rows), t.pitch(), first > begin,
                   flat, padded);
    const T* vector = padded;
    for (std::int64_t c = first; c < last; c += width, vector += next)
      for (std::int64_t i = 0; i < at.rows * t.tiles_w; ++i) {
        const T* from = vector + i / t.tiles_w * out * pitch + i % t.tiles_w * out * width;
        T* to = v + t.at(tile + i, c);
        both_axes<T, tile_in, tile_in>(
            [](const V* d, V* points) { input_points<T>(d, points); },
            [=](int p, int q) { return V::load(from + p * pitch + q * width); },
            [=, &t](int p, int q, V value) { value.store(to + t.offset[tile_in * p + q]); });
      }
  }
}

// Where there are fewer than 8 panels each is cut, so that there are some 8 tasks, for any number
// of threads.
LIMULUS_INLINE std::int64_t tasks_of_a_panel(std::int64_t panels) { return larger(1, 8 / panels); }

// The whole block, strips [begin, end), shared among the threads, each of which has `bytes` of
// `memory`.
template <class T, int Depth, class Source>
void transform_block(const Context& ctx, const Tiling<T, Depth>& tiling, const Source& pixels,
                     const T* x, std::int64_t begin, std::int64_t end, char* memory,
                     std::int64_t bytes, T* v) {
  const std::int64_t chunk = tiling.chunk_channels, parts = ceil_div(tiling.c, chunk);
  const Tiling<T, Depth>* t = &tiling;
  const Source* source = &pixels;
  parallel_for(
      ctx, (end - begin) * t->s.groups * parts, t->size() * 4, [=](std::int64_t task, int thread) {
        const std::int64_t part = task % parts, group = task / parts % t->s.groups;
        const std::int64_t index = task / parts / t->s.groups;
        T* flat = reinterpret_cast<T*>(memory + thread * bytes);
        transform_strip(*t, *source, x + group * t->c * source->pixels(), t->strip(begin + index),
                        index * t->tiles, part * chunk, smaller(t->c, (part + 1) * chunk), flat,
                        flat + round_up(t->flat_size(), t->line), v + group * t->group_size);
      });
}

// y[k, oh, ow] = b[k] + (A^T m A)[oh, ow] for a strip and `count` channels from y's first.
template <int Taps, class T, int Depth>
void transform_output(const Tiling<T, Depth>& t, const TileRows& at, std::int64_t count, const T* m,
                      std::int64_t m_plane, const T* b, T* flat, T* y, Finite<T>& finite) {
  using V = Vec<T>;
  constexpr int out = tile_out<Taps>, width = V::width;
  const std::int64_t oh_end = t.s.window.h.out, ow_end = t.s.window.w.out, oh = at.row * out;
  const std::int64_t rows = smaller(out * at.rows, oh_end - oh), pitch = ow_end * width;
  for (std::int64_t k = 0; k < count; k += width) {
    const int lanes = static_cast<int>(smaller(width, count - k));
    const V bias = b ? V::load_n(b + k, lanes) : V::zero();
    const T* from = m + k;
    for (std::int64_t i = 0; i < at.rows * out; i += out)
      for (std::int64_t j = 0; j < ow_end; j += out, from += Blocking<T>::cols) {
        T* to = flat + i * pitch + j * width;
        const std::int64_t inside_h = rows - i, inside_w = ow_end - j;
        both_axes<T, tile_in, out>(
            [](const V* p, V* sums) { moments<out, T>(p, sums); },
            [=](int p, int q) { return V::load(from + (tile_in * p + q) * m_plane); },
            [=, relu = t.s.relu, &finite](int p, int q, V value) {
              if (p >= inside_h || q >= inside_w) return;
              finite.see(value);
              value = value + bias;
              if (relu) value = select(V::zero() > value, V::zero(), value);  // NaN stays
              value.store(to + p * pitch + q * width);
            });
      }
    transpose(rows * ow_end, lanes, flat, width, y + k * oh_end * ow_end + oh * ow_end,
              oh_end * ow_end);
  }
}

}  // namespace limulus::cpu::LIMULUS_ISA

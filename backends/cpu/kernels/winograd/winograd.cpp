// Convolution, and its gradient by the input, by Winograd's products (winograd.h).
//
// For each block of strips (winograd_tiles.h):
//   1. the images' tiles are brought to the seven points, for all channels: v, in L3 (conv3, 32
//      images: all of it, 15 MB);
//   2. a task takes 32 output channels and some strips. It brings its filters to the points: u,
//      5.4 (2) times as large as 3 x 3 (5 x 5) filters, which is why it is not kept. Then, for
//      about 54 tiles at a time, it multiplies, 49 products [tiles, c] x [c, 32], into m, which is
//      small enough for L2, and takes m back to outputs, adding the bias and clamping at 0
//      meanwhile.
// Thus only v, and each filter and output once, pass through memory.
//
// With few tiles (one image) the filters are the larger side: then they are brought to the points
// 64 channels at a time, so that u stays in L2.
//
// Each output is a sum over channels in order, in pieces that depend on the shape alone: neither
// blocks nor threads show in the result. Pieces of 128 channels, added at the end, have three
// quarters of the rounding errors of one long sum, for 3 % of the time.
//
// Measured (one core of an AMD EPYC, Zen 5, batch 32), direct and Winograd, ms:
//                              AVX2 forward   AVX2 input   AVX-512 forward   AVX-512 input
//     conv2, 2 x (48 -> 128)      123, 36        131, 39        64, 21            71, 24
//     conv3, 256 -> 384            85, 31         86, 31        46, 15            48, 16
//     conv4, 2 x (192 -> 192)      62, 24         62, 24        35, 13            36, 14
//     conv5, 2 x (192 -> 128)      44, 16         42, 15        24, 9             23, 8.4
// and one image, AVX-512, forward: conv2 2.2, 0.61; conv3 1.8, 0.59; conv4 1.4, 0.47; conv5 0.93,
// 0.32. Of conv4's time the products take 70 % (at 85 % of the peak), turning x and y over 12 %
// (they come from memory), the ways to the points and back the rest (perf).
#include "backends/cpu/kernels/matrix_kernels.h"
#include "backends/cpu/kernels/winograd/winograd_tiles.h"

namespace limulus::cpu::LIMULUS_ISA {
namespace {

// What a task of the second phase needs to know.
template <class T>
struct Plan {
  static constexpr int cols = Blocking<T>::cols, width = Vec<T>::width;
  std::int64_t k,
      panels;                  // output channels of a group, and panels of `cols` of them
  std::int64_t strips, parts;  // strips of a task, and tasks for a panel's block
  std::int64_t sub;            // strips multiplied at a time
  std::int64_t steps;          // input channels multiplied at a time
  std::int64_t u_plane,
      u_size;           // one product's filters, and those of `steps` channels
  bool keep;            // u holds all channels
  std::int64_t m_tile;  // from a tile's products to the next tile's

  Plan(const Conv2dShape& s, const Tiling<T>& t) {
    constexpr std::int64_t line = Tiling<T>::line;
    k = s.k / s.groups;
    panels = ceil_div(k, cols);
    sub = smaller(t.block, larger(1, 4 * Blocking<T>::rows / t.tiles));
    const std::int64_t wanted = larger(1, 8 / (s.groups * panels));
    strips = round_up(ceil_div(t.block, smaller(wanted, ceil_div(t.block, sub))), sub);
    parts = ceil_div(t.block, strips);
    keep = t.block > sub;
    steps = smaller(t.c, Tiling<T>::depth / (keep ? 3 : 6));
    u_plane = steps * cols + line;
    u_size = tile_products * u_plane;
    m_tile = tile_products * cols + line;
  }
  std::int64_t u_count(std::int64_t c) const { return keep ? ceil_div(c, steps) * u_size : u_size; }
};

// The filters, [k, c, taps, taps] or, flipped, [c, k, taps, taps] to be read with their taps
// flipped by half a circle; or packed, [group, panel, c, taps, taps, k of the panel].
template <class T, int Taps>
struct Filters {
  static constexpr int cols = Blocking<T>::cols, area = Taps * Taps, chunk = 8;
  const T* w;  // of a group
  std::int64_t k, c;
  bool flipped, packed;

  // to[channel, tap, k of the panel] for channels [begin, begin + count)
  void gather(std::int64_t panel, std::int64_t begin, std::int64_t count, T* to) const {
    const std::int64_t first = panel * cols, rows = smaller(cols, k - first);
    if (rows < cols)
      for (std::int64_t i = 0; i < count * area * cols; ++i) to[i] = 0;
    if (!flipped)
      return transpose(rows, count * area, w + (first * c + begin) * area, c * area, to, cols);
    for (std::int64_t i = 0; i < count; ++i)
      transpose(rows, area, w + ((begin + i) * k + first) * area, area, to + i * area * cols, cols);
  }

  // u[product, channel, k of the panel] = G g G^T for channels [begin, begin + count)
  void transform(std::int64_t panel, std::int64_t begin, std::int64_t count, std::int64_t u_plane,
                 T* u) const {
    using V = Vec<T>;
    alignas(64) T buffer[chunk * area * cols];
    for (std::int64_t i = 0; i < count; i += chunk) {
      const T* taps = w + (panel * c + begin + i) * area * cols;
      if (!packed) gather(panel, begin + i, smaller(chunk, count - i), buffer);
      if (!packed) taps = buffer;
      for (std::int64_t j = 0; j < smaller(chunk, count - i); ++j, taps += area * cols)
        for (int v = 0; v < cols; v += V::width) {
          const T* from = flipped ? taps + v + (area - 1) * cols : taps + v;
          const std::int64_t step = flipped ? -cols : cols;
          T* to = u + (i + j) * cols + v;
          both_axes<T, Taps, tile_in>(
              [](const V* g, V* out) { values<Taps, T>(g, out); },
              [=](int a, int b) { return V::load(from + (Taps * a + b) * step); },
              [=](int a, int b, V value) { value.store(to + (7 * a + b) * u_plane); });
        }
    }
  }
};

// m[tile, product, k of the panel] = or += v[product, tile, c] u[product, c, k of the panel]. Where
// the panel ends within a register, filters of zeros make up the rest.
template <class T>
void multiply(const Tiling<T>& t, const Plan<T>& plan, std::int64_t tiles, std::int64_t steps,
              std::int64_t channels, const T* v, const T* u, bool add, T* m) {
  const int cols = static_cast<int>(round_up(channels, Plan<T>::width));
  const std::int64_t height = ceil_div(tiles, ceil_div(tiles, Blocking<T>::rows));
  for (int p = 0; p < tile_products; ++p)
    for (std::int64_t i = 0; i < tiles; i += height)
      multiply_tile<T>(static_cast<int>(smaller(height, tiles - i)), steps,
                       v + t.offset[p] + i * Tiling<T>::stride, u + p * plan.u_plane,
                       {m + i * plan.m_tile + p * Plan<T>::cols, plan.m_tile, cols, add, nullptr});
}

// y[k, oh, ow] = b[k] + (A^T m A)[oh, ow] for a strip of tiles and `count` channels from y's first
template <class T, int Taps>
void transform_output(const Tiling<T>& t, const Plan<T>& plan, std::int64_t row, std::int64_t count,
                      const T* m, const T* b, T* flat, T* y, Finite<T>& finite) {
  using V = Vec<T>;
  constexpr int out = tile_out<Taps>, width = V::width;
  const std::int64_t oh_end = t.s.window.h.out, ow_end = t.s.window.w.out, oh = row * out;
  const std::int64_t rows = smaller(out * t.rows, oh_end - oh), pitch = ow_end * width;
  for (std::int64_t k = 0; k < count; k += width) {
    const int lanes = static_cast<int>(smaller(width, count - k));
    const V bias = b ? V::load_n(b + k, lanes) : V::zero();
    const T* from = m + k;
    for (std::int64_t i = 0; i < t.rows * out; i += out)
      for (std::int64_t j = 0; j < ow_end; j += out, from += plan.m_tile) {
        T* to = flat + i * pitch + j * width;
        const std::int64_t inside_h = rows - i, inside_w = ow_end - j;
        both_axes<T, tile_in, out>(
            [](const V* p, V* sums) { powers<out, T>(p, sums); },
            [=](int p, int q) { return V::load(from + (7 * p + q) * Plan<T>::cols); },
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

template <class T, int Taps>
void convolve(const Context& ctx, const Conv2dShape& s, const T* x, const T* w, bool flipped,
              const T* b, T* y, unsigned char* not_finite) {
  constexpr std::int64_t v_bytes_most = 8 << 20;
  const Tiling<T> tiling(s, INT64_MAX, v_bytes_most);
  const Plan<T> plan(s, tiling);
  const std::int64_t v_bytes = bytes_of<T>(tiling.size());
  const std::int64_t u_bytes = bytes_of<T>(plan.u_count(tiling.c));
  const std::int64_t m_bytes = bytes_of<T>(plan.sub * tiling.tiles * plan.m_tile);
  const std::int64_t rest =
      bytes_of<T>(tiling.padded_size() + tiling.flat_size() + 2 * Tiling<T>::line);
  const std::int64_t bytes = u_bytes + m_bytes + rest;
  const Scratch scratch(ctx, v_bytes + ctx.threads * bytes);
  T* v = scratch.as<T>();
  char* memory = scratch.as<char>() + v_bytes;

  const std::int64_t positions = s.window.h.out * s.window.w.out;
  const std::int64_t work = s.n * s.k * positions * tiling.c;
  const std::int64_t panel_size =
      tiling.c * Taps * Taps * (s.packed ? round_up(plan.k, Plan<T>::cols) : plan.k);
  const Tiling<T>* t = &tiling;
  const Plan<T>* p = &plan;
  for (std::int64_t begin = 0; begin < t->all; begin += t->block) {
    const std::int64_t end = smaller(begin + t->block, t->all);
    transform_block(ctx, tiling, x, begin, end, memory, bytes, v);
    parallel_for(
        ctx, s.groups * p->panels * p->parts, work, [=, &s](std::int64_t task, int thread) {
          const std::int64_t part = task % p->parts, panel = task / p->parts % p->panels;
          const std::int64_t group = task / p->parts / p->panels;
          const Filters<T, Taps> filters{w + group * panel_size, p->k, t->c, flipped, s.packed};
          char* workspace = memory + thread * bytes;
          T* u = reinterpret_cast<T*>(workspace);
          T* m = reinterpret_cast<T*>(workspace + u_bytes);
          T* flat = reinterpret_cast<T*>(workspace + u_bytes + m_bytes);
          const std::int64_t k = panel * Plan<T>::cols, channels = smaller(Plan<T>::cols, p->k - k);
          const std::int64_t first = begin + part * p->strips,
                             last = smaller(end, first + p->strips);
          for (std::int64_t strip = first; strip < last; strip += p->sub) {
            const std::int64_t images = smaller(p->sub, last - strip);
            for (std::int64_t c = 0; c < t->c; c += p->steps) {
              const std::int64_t steps = smaller(p->steps, t->c - c);
              T* transformed = p->keep ? u + c / p->steps * p->u_size : u;
              if (strip == first) filters.transform(panel, c, steps, p->u_plane, transformed);
              multiply(*t, *p, images * t->tiles, steps, channels,
                       v + group * t->group_size + t->at((strip - begin) * t->tiles, c),
                       transformed, c > 0, m);
            }
            for (std::int64_t i = 0; i < images; ++i) {
              const std::int64_t n = (strip + i) / t->per_image;
              Finite<T> finite;
              transform_output<T, Taps>(*t, *p, (strip + i) % t->per_image * t->rows, channels,
                                        m + i * t->tiles * p->m_tile,
                                        b ? b + group * p->k + k : nullptr, flat,
                                        y + (n * s.k + group * p->k + k) * positions, finite);
              finite.report(not_finite, n);
            }
          }
        });
  }
}

}  // namespace

template <class T>
void conv2d_winograd(const Context& ctx, const Conv2dShape& s, const T* x, const T* w, bool flipped,
                     const T* b, T* y, unsigned char* not_finite) {
  if (s.window.h.kernel == 3)
    convolve<T, 3>(ctx, s, x, w, flipped, b, y, not_finite);
  else
    convolve<T, 5>(ctx, s, x, w, flipped, b, y, not_finite);
}

template <class T>
std::size_t conv2d_winograd_packed_bytes(const Conv2dShape& s) {
  const std::int64_t k = s.groups * round_up(s.k / s.groups, Blocking<T>::cols);
  return static_cast<std::size_t>(k * (s.c / s.groups) * s.window.h.kernel * s.window.w.kernel) *
         sizeof(T);
}

template <class T>
void conv2d_winograd_pack(const Context& ctx, const Conv2dShape& s, const T* w, T* packed) {
  const std::int64_t c = s.c / s.groups, k = s.k / s.groups;
  const std::int64_t panels = ceil_div(k, Blocking<T>::cols),
                     area = s.window.h.kernel * s.window.w.kernel;
  const std::int64_t size = c * area * Blocking<T>::cols;
  parallel_for(ctx, s.groups * panels, s.k * c * area * 8, [=](std::int64_t task, int) {
    const T* from = w + task / panels * k * c * area;
    if (area == 9)
      Filters<T, 3>{from, k, c, false, false}.gather(task % panels, 0, c, packed + task * size);
    else
      Filters<T, 5>{from, k, c, false, false}.gather(task % panels, 0, c, packed + task * size);
  });
}

template void conv2d_winograd<float>(const Context&, const Conv2dShape&, const float*, const float*,
                                     bool, const float*, float*, unsigned char*);
template void conv2d_winograd<double>(const Context&, const Conv2dShape&, const double*,
                                      const double*, bool, const double*, double*, unsigned char*);
template std::size_t conv2d_winograd_packed_bytes<float>(const Conv2dShape&);
template std::size_t conv2d_winograd_packed_bytes<double>(const Conv2dShape&);
template void conv2d_winograd_pack<float>(const Context&, const Conv2dShape&, const float*, float*);
template void conv2d_winograd_pack<double>(const Context&, const Conv2dShape&, const double*,
                                           double*);

}  // namespace limulus::cpu::LIMULUS_ISA

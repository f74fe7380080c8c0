// The gradient by the filters, by Winograd's products: the forward algorithm, transposed.
//
// Forward, each filter g of one pair of channels acts through
//     Y = A^T [ (G g G^T) * (B^T d B) ] A      (* entry by entry)
// on each tile d. That is linear in g, and its gradient is the transposed map: what came last comes
// first, with each matrix transposed,
//     dg = G^T [ sum over tiles of (A dY A^T) * (B^T d B) ] G.
// So a tile of dY is brought to the seven points (its outputs are the coefficients of a polynomial:
// `values`), d as before, and for each of the 49 products there is one matrix product over all
// tiles, [c, tiles] x [tiles, k]; the way back, a 49 to 9 (25) sum per filter, is taken once.
//
// For each block of tiles, at most as many as one pass of the matrix product takes:
//   1. the images' tiles are brought to the points: v, just as forward;
//   2. a task takes 32 output channels and some input channels: it brings dy's tiles to the points,
//      then, for 56 input channels at a time, multiplies into m, which stays in L2, and takes m
//      back to filters. Blocks are added up there: 9 (25) numbers each instead of 49.
// The left operand is v^T: the register tile reads it down the columns (`TransposedA`).
//
// Every sum runs over tiles in order, within blocks that depend on the shape alone.
//
// Measured (one core of an AMD EPYC, Zen 5, batch 32), direct and Winograd, ms:
//                 AVX2         AVX-512
//     conv2     127, 37         66, 20
//     conv3      83, 29         44, 16
//     conv4      64, 23         35, 14
//     conv5      45, 17         24, 9.8
#include "backends/cpu/kernels/matrix_kernels.h"
#include "backends/cpu/kernels/winograd/winograd_tiles.h"

namespace limulus::cpu::LIMULUS_ISA {
namespace {

template <class T>
struct Plan {
  static constexpr int cols = Blocking<T>::cols, chunk = 4 * Blocking<T>::rows;
  std::int64_t k,
      panels;  // output channels of a group, and panels of `cols` of them
  std::int64_t channels,
      parts;  // input channels of a task, and tasks for a panel
  std::int64_t g_plane, m_channel;

  Plan(const Conv2dShape& s, const Tiling<T>& t) {
    k = s.k / s.groups;
    panels = ceil_div(k, cols);
    const std::int64_t wanted = larger(1, 8 / (s.groups * panels));
    channels = ceil_div(t.c, smaller(wanted, ceil_div(t.c, Blocking<T>::rows)));
    parts = ceil_div(t.c, channels);
    g_plane = t.block * t.tiles * cols + Tiling<T>::line;
    m_channel = tile_products * cols + Tiling<T>::line;
  }
};

// g[product, tile, k of the panel] = A dY A^T for a strip and the `count` channels from dy's first
template <class T, int Taps>
void transform_gradient(const Tiling<T>& t, const Plan<T>& plan, std::int64_t strip,
                        std::int64_t count, const T* dy, T* flat, T* padded, T* g) {
  using V = Vec<T>;
  constexpr int out = tile_out<Taps>, width = V::width;
  const std::int64_t h = t.s.window.h.out, w = t.s.window.w.out;
  const Part2d part{h, w, strip % t.per_image * t.rows * out, 0, t.rows * out, t.tiles_w * out,
                    h, w};
  const std::int64_t pitch = part.cols * width, g_plane = plan.g_plane;
  for (std::int64_t k = 0; k < count; k += width) {
    lay_strip(dy + k * h * w, smaller(width, count - k), part, k > 0, flat, padded);
    for (std::int64_t tile = 0; tile < t.tiles; ++tile) {
      const T* from = padded + tile / t.tiles_w * out * pitch + tile % t.tiles_w * out * width;
      T* to = g + tile * Plan<T>::cols + k;
      both_axes<T, out, tile_in>(
          [](const V* d, V* at) { values<out, T>(d, at); },
          [=](int i, int j) { return V::load(from + i * pitch + j * width); },
          [=](int i, int j, V value) { value.store(to + (7 * i + j) * g_plane); });
    }
  }
}

// m[c, product, k of the panel] = v[product, tile, c]^T g[product, tile, k of the panel]. Sums over
// about 128 tiles are formed apart: two thirds of the rounding errors, for 4 % of the time. `cols`
// is a number of whole registers; where k ends before, g holds zeros.
template <class T>
void multiply(const Tiling<T>& t, const Plan<T>& plan, std::int64_t tiles, std::int64_t channels,
              int cols, const T* v, const T* g, T* m) {
  const std::int64_t height = ceil_div(channels, ceil_div(channels, Blocking<T>::rows));
  const std::int64_t steps = ceil_div(tiles, ceil_div(tiles, 128));
  for (int p = 0; p < tile_products; ++p)
    for (std::int64_t i = 0; i < tiles; i += steps)
      for (std::int64_t c = 0; c < channels; c += height)
        multiply_tile<T, true>(
            static_cast<int>(smaller(height, channels - c)), smaller(steps, tiles - i),
            v + t.offset[p] + i * Tiling<T>::stride + c, g + p * plan.g_plane + i * Plan<T>::cols,
            {m + c * plan.m_channel + p * Plan<T>::cols, plan.m_channel, cols, i > 0, nullptr});
}

// sum[tap, k of the panel] = or += G^T m G for one input channel and the panel's first `filled` k
template <class T, int Taps>
LIMULUS_INLINE void transform_product(int filled, const T* m, bool add, T* sum, Finite<T>& finite) {
  using V = Vec<T>;
  constexpr int cols = Plan<T>::cols;
  for (int v = 0; v < filled; v += V::width)
    both_axes<T, tile_in, Taps>([](const V* p, V* taps) { powers<Taps, T>(p, taps); },
                                [=](int i, int j) { return V::load(m + (7 * i + j) * cols + v); },
                                [=, &finite](int i, int j, V value) {
                                  T* to = sum + (Taps * i + j) * cols + v;
                                  if (add) value = V::load(to) + value;
                                  finite.see(value);
                                  value.store(to);
                                });
}

template <class T, int Taps>
void backward_weight(const Context& ctx, const Conv2dShape& s, const T* x, const T* dy, T* dw,
                     unsigned char* not_finite) {
  constexpr int area = Taps * Taps, cols = Plan<T>::cols, chunk = Plan<T>::chunk;
  constexpr std::int64_t v_bytes_most = 16 << 20;
  const Tiling<T> tiling(s, Tiling<T>::depth, v_bytes_most);
  const Plan<T> plan(s, tiling);
  const std::int64_t v_bytes = bytes_of<T>(tiling.size());
  const std::int64_t g_bytes = bytes_of<T>(tile_products * plan.g_plane);
  const std::int64_t m_bytes = bytes_of<T>(chunk * plan.m_channel);
  const std::int64_t rest =
      bytes_of<T>(tiling.padded_size() + tiling.flat_size() + 2 * Tiling<T>::line);
  const std::int64_t sum_bytes = bytes_of<T>(s.groups * plan.panels * tiling.c * area * cols);
  const std::int64_t bytes = g_bytes + m_bytes + rest;
  const Scratch scratch(ctx, v_bytes + sum_bytes + ctx.threads * bytes);
  T* v = scratch.as<T>();
  T* sums = reinterpret_cast<T*>(scratch.as<char>() + v_bytes);  // [group, panel, c, tap, cols]
  char* memory = scratch.as<char>() + v_bytes + sum_bytes;

  const std::int64_t positions = s.window.h.out * s.window.w.out;
  const Tiling<T>* t = &tiling;
  const Plan<T>* p = &plan;
  for (std::int64_t begin = 0; begin < t->all; begin += t->block) {
    const std::int64_t end = smaller(begin + t->block, t->all);
    transform_block(ctx, tiling, x, begin, end, memory, bytes, v);
    const std::int64_t work = (end - begin) * t->tiles * tile_products * t->c * s.k;
    parallel_for(
        ctx, s.groups * p->panels * p->parts, work, [=, &s](std::int64_t task, int thread) {
          const std::int64_t part = task % p->parts, panel = task / p->parts;
          const std::int64_t group = panel / p->panels, k = panel % p->panels * cols;
          const std::int64_t channels = smaller(cols, p->k - k), tiles = (end - begin) * t->tiles;
          char* workspace = memory + thread * bytes;
          T* g = reinterpret_cast<T*>(workspace);
          T* m = reinterpret_cast<T*>(workspace + g_bytes);
          T* flat = reinterpret_cast<T*>(workspace + g_bytes + m_bytes);
          T* padded = flat + round_up(t->flat_size(), Tiling<T>::line);
          for (std::int64_t strip = begin; strip < end; ++strip)
            transform_gradient<T, Taps>(
                *t, *p, strip, channels,
                dy + (strip / t->per_image * s.k + group * p->k + k) * positions, flat, padded,
                g + (strip - begin) * t->tiles * cols);

          const int filled = static_cast<int>(round_up(channels, Vec<T>::width));
          Finite<T> finite;
          const std::int64_t last = smaller(t->c, (part + 1) * p->channels);
          for (std::int64_t c = part * p->channels, count; c < last; c += count) {
            count = smaller(smaller(chunk, last - c), Tiling<T>::depth - c % Tiling<T>::depth);
            multiply(*t, *p, tiles, count, filled, v + group * t->group_size + t->at(0, c), g, m);
            T* sum = sums + (panel * t->c + c) * area * cols;
            for (std::int64_t i = 0; i < count; ++i)
              transform_product<T, Taps>(filled, m + i * p->m_channel, begin > 0,
                                         sum + i * area * cols, finite);
            if (end == t->all)
              transpose(count * area, channels, sum, cols,
                        dw + ((group * p->k + k) * t->c + c) * area, t->c * area);
          }
          finite.report(not_finite, 0);
        });
  }
}

}  // namespace

template <class T>
void conv2d_backward_weight_winograd(const Context& ctx, const Conv2dShape& s, const T* x,
                                     const T* dy, T* dw, unsigned char* not_finite) {
  if (s.window.h.kernel == 3)
    backward_weight<T, 3>(ctx, s, x, dy, dw, not_finite);
  else
    backward_weight<T, 5>(ctx, s, x, dy, dw, not_finite);
}

template void conv2d_backward_weight_winograd<float>(const Context&, const Conv2dShape&,
                                                     const float*, const float*, float*,
                                                     unsigned char*);
template void conv2d_backward_weight_winograd<double>(const Context&, const Conv2dShape&,
                                                      const double*, const double*, double*,
                                                      unsigned char*);

}  // namespace limulus::cpu::LIMULUS_ISA

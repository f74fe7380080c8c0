// The gradient of the filters, by Winograd's products: the forward algorithm, transposed.
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
//   1. the images' tiles are brought to the points: v, just as forward;
//   2. so are dy's tiles, for 32 output channels, a panel, at a time: g (no filter any more);
//   3. v^T and g are multiplied into m. The register tile reads v down the columns (`TransposedA`);
//   4. m is taken back to filters.
//
// As forward, there are two orders. Without a stride (`gradient_in_blocks`):
//
//     for a block of strips, 384 tiles at most: the register tile sums over as many at a time
//       v = B^T d B                                all threads: transform_block
//       for a panel of 32 outputs, and some input channels:               a task
//         g = A dY A^T                             transform_gradient, by each task of the panel
//         for 56 of the input channels (24 with AVX2), so that m stays in L2:
//           m = v^T g                              49 products: multiply
//           first block sum = G^T m G,
//           later ones sum += G^T m G              9 (25) numbers, not 49: transform_product
//           last block: sum is dw                  scatter
//
// With a stride, and so with 48 channels at most (`gradient_in_parts`):
//
//     for some parts of images:                      a task, with an m of its own
//       for a part, some rows of tiles:
//         v = B^T d B                              transform_strip
//         for a panel:  g = A dY A^T,  m += v^T g  transform_gradient, multiply
//     dw = G^T (the tasks' m, added up) G          transform_product
//
// Every sum runs over tiles in order, within blocks (or tasks) that depend on the shape alone, and
// not on the number of threads.
#include "backends/cpu/kernels/matrix_kernels.h"
#include "backends/cpu/kernels/winograd/source.h"

namespace limulus::cpu::LIMULUS_ISA {
namespace {

// g[product, tile, k of the panel] = A dY A^T for a strip and the `count` channels from dy's first.
// Channels from there to `filled`, whole registers, do not exist: they are multiplied, as zeros.
template <int Taps, class T, int Depth>
void transform_gradient(const Tiling<T, Depth>& t, const TileRows& at, std::int64_t count,
                        int filled, const T* dy, T* flat, std::int64_t g_plane, T* g) {
  using V = Vec<T>;
  constexpr int out = tile_out<Taps>, width = V::width;
  const std::int64_t h = t.s.window.h.out, w = t.s.window.w.out, oh = at.row * out;
  const std::int64_t rows = smaller(out * at.rows, h - oh), pitch = w * width;
  for (std::int64_t k = 0; k < filled; k += width) {
    const std::int64_t lanes = larger(0, smaller(width, count - k));
    if (lanes < width)
      for (std::int64_t i = 0; i < rows * pitch; ++i) flat[i] = 0;
    transpose(lanes, rows * w, dy + (k * h + oh) * w, h * w, flat, width);
    T* to = g + k;
    for (std::int64_t i = 0; i < at.rows * out; i += out)
      for (std::int64_t j = 0; j < w; j += out, to += Blocking<T>::cols) {
        const T* from = flat + i * pitch + j * width;
        const std::int64_t inside_h = rows - i, inside_w = w - j;
        both_axes<T, out, tile_in>(
            [](const V* d, V* points) { values<out, T>(d, points); },
            [=](int p, int q) {
              return p < inside_h && q < inside_w ? V::load(from + p * pitch + q * width)
                                                  : V::zero();
            },
            [=](int p, int q, V value) { value.store(to + (tile_in * p + q) * g_plane); });
      }
  }
}

// m[product, c, k of the panel] = or += v[product, tile, c]^T g[product, tile, k of the panel], for
// `cols` of the panel, whole registers. Sums over `piece` tiles are formed apart.
template <class T, int Depth>
void multiply(const Tiling<T, Depth>& t, std::int64_t tiles, std::int64_t piece,
              std::int64_t channels, int cols, const T* v, const T* g, std::int64_t g_plane,
              bool add, T* m, std::int64_t m_plane) {
  const std::int64_t height = ceil_div(channels, ceil_div(channels, Blocking<T>::rows));
  for (int p = 0; p < tile_products; ++p)
    for (std::int64_t i = 0; i < tiles; i += piece)
      for (std::int64_t c = 0; c < channels; c += height)
        multiply_tile<T, true, Tiling<T, Depth>::row_size>(
            static_cast<int>(smaller(height, channels - c)), smaller(piece, tiles - i),
            v + t.offset[p] + i * t.row_size + c,
            PackedB<T>{g + p * g_plane + i * Blocking<T>::cols},
            PackedC<T>{m + p * m_plane + c * Blocking<T>::cols, cols, add || i > 0});
}

// sum[tap, k of the panel] = or += G^T m G for one input channel and the panel's first `filled` k
template <int Taps, class T>
LIMULUS_INLINE void transform_product(int filled, const T* m, std::int64_t m_plane, bool add,
                                      T* sum, Finite<T>& finite) {
  using V = Vec<T>;
  constexpr int cols = Blocking<T>::cols;
  for (int v = 0; v < filled; v += V::width)
    both_axes<T, tile_in, Taps>(
        [](const V* p, V* taps) { moments<Taps, T>(p, taps); },
        [=](int i, int j) { return V::load(m + (tile_in * i + j) * m_plane + v); },
        [=, &finite](int i, int j, V value) {
          T* to = sum + (Taps * i + j) * cols + v;
          if (add) value = V::load(to) + value;
          finite.see(value);
          value.store(to);
        });
}

// How the work is cut where there is no stride.
template <class T>
struct GradientSchedule {
  static constexpr int cols = Blocking<T>::cols;
  static constexpr int chunk = 4 * Blocking<T>::rows;  // input channels multiplied at a time
  static constexpr std::int64_t m_plane = chunk * cols + Tiling<T>::line;
  std::int64_t k, panels;        // output channels of a group, and panels of `cols` of them
  std::int64_t channels, parts;  // input channels of a task, and tasks for a panel
  std::int64_t g_plane;

  GradientSchedule(const Conv2dShape& s, const Tiling<T>& t) {
    k = s.k / s.groups;
    panels = ceil_div(k, cols);
    const std::int64_t wanted = tasks_of_a_panel(s.groups * panels);
    channels = ceil_div(t.c, smaller(wanted, ceil_div(t.c, Blocking<T>::rows)));
    parts = ceil_div(t.c, channels);
    g_plane = t.block * t.tiles * cols + Tiling<T>::line;
  }
};

template <class T, int Taps>
void gradient_in_blocks(const Context& ctx, const Conv2dShape& s, const T* x, const T* dy, T* dw,
                        unsigned char* not_finite) {
  constexpr int area = Taps * Taps, cols = Blocking<T>::cols, chunk = GradientSchedule<T>::chunk;
  constexpr std::int64_t v_bytes_most = 16 << 20;
  const PlainImage<T> image(s, false);
  Tiling<T> tiling(s, 32);
  tiling.set_largest_block(Blocking<T>::depth, v_bytes_most);
  const GradientSchedule<T> schedule(s, tiling);
  const std::int64_t v_bytes = bytes_of<T>(tiling.size());
  const std::int64_t g_bytes = bytes_of<T>(tile_products * schedule.g_plane);
  const std::int64_t m_bytes = bytes_of<T>(tile_products * GradientSchedule<T>::m_plane);
  const std::int64_t sum_bytes = bytes_of<T>(s.groups * schedule.panels * tiling.c * area * cols);
  const std::int64_t bytes = g_bytes + m_bytes + bytes_of<T>(tiling.strip_size());
  const Scratch scratch(ctx, v_bytes + sum_bytes + ctx.threads * bytes);
  T* v = scratch.as<T>();
  T* sums = reinterpret_cast<T*>(scratch.as<char>() + v_bytes);  // [group, panel, c, tap, cols]
  char* memory = scratch.as<char>() + v_bytes + sum_bytes;

  const std::int64_t positions = s.window.h.out * s.window.w.out;
  const Tiling<T>* t = &tiling;  // for the tasks, whose functions would copy it
  const GradientSchedule<T>* plan = &schedule;
  for (std::int64_t begin = 0; begin < t->all; begin += t->block) {
    const std::int64_t end = smaller(begin + t->block, t->all);
    transform_block(ctx, tiling, image, x, begin, end, memory, bytes, v);  // step 1
    const std::int64_t work = (end - begin) * t->tiles * tile_products * t->c * s.k;
    const std::int64_t tasks = s.groups * plan->panels * plan->parts;
    parallel_for(ctx, tasks, work, [=, &s, &image](std::int64_t task, int thread) {
      const std::int64_t part = task % plan->parts, panel = task / plan->parts;
      const std::int64_t group = panel / plan->panels, k = panel % plan->panels * cols;
      const std::int64_t channels = smaller(cols, plan->k - k);
      const std::int64_t tiles = (end - begin) * t->tiles;
      const int filled = static_cast<int>(round_up(channels, Vec<T>::width));
      char* workspace = memory + thread * bytes;
      T* g = reinterpret_cast<T*>(workspace);
      T* m = reinterpret_cast<T*>(workspace + g_bytes);
      T* flat = reinterpret_cast<T*>(workspace + g_bytes + m_bytes);
      for (std::int64_t strip = begin; strip < end; ++strip)  // step 2
        transform_gradient<Taps>(
            *t, t->strip(strip), channels, filled,
            dy + (t->strip(strip).image * s.k + group * plan->k + k) * positions, flat,
            plan->g_plane, g + (strip - begin) * t->tiles * cols);

      // Pieces of about 128 tiles: two thirds of the rounding errors, for 4 % of the time.
      const std::int64_t piece = ceil_div(tiles, ceil_div(tiles, 128));
      Finite<T> finite;
      const std::int64_t last = smaller(t->c, (part + 1) * plan->channels);
      for (std::int64_t c = part * plan->channels, count; c < last; c += count) {
        // Not beyond a pass of v: the channels of the next one lie elsewhere.
        count = smaller(smaller(chunk, last - c), Tiling<T>::depth - c % Tiling<T>::depth);
        multiply(*t, tiles, piece, count, filled,  // step 3
                 v + group * t->group_size + t->at(0, c), g, plan->g_plane, false, m,
                 plan->m_plane);
        T* sum = sums + (panel * t->c + c) * area * cols;
        for (std::int64_t i = 0; i < count; ++i)  // step 4
          transform_product<Taps>(filled, m + i * cols, plan->m_plane, begin > 0,
                                  sum + i * area * cols, finite);
        if (end == t->all)  // the last block: the sums are complete
          image.scatter(sum, panel % plan->panels, c, count, dw + group * plan->k * t->c * area);
      }
      finite.report(not_finite, 0);
    });
  }
}

template <class T>
void gradient_in_parts(const Context& ctx, const Conv2dShape& s, const T* x, const T* dy, T* dw,
                       unsigned char* not_finite) {
  constexpr int taps = SpaceToDepth<T>::taps, cols = Blocking<T>::cols;
  const SpaceToDepth<T> image(s);
  Tiling<T, few_channels> tiling(without_stride(s), 1);
  const Parts<T> parts(&tiling, 1);
  // Each task has sums of its own, so their number must not depend on that of threads.
  const std::int64_t all = s.n * parts.count, tasks = smaller(all, 8);
  const std::int64_t panels = ceil_div(s.k, cols), m_plane = tiling.c * cols + tiling.line;
  const std::int64_t m_panel = tile_products * m_plane, m_size = panels * m_panel;
  const std::int64_t g_plane = tiling.block * tiling.tiles * cols + Tiling<T>::line;
  const std::int64_t m_bytes = bytes_of<T>(tasks * m_size);
  const std::int64_t v_bytes = bytes_of<T>(tiling.size());
  // Until v is made, the image lies laid out where dy's tiles come later.
  const std::int64_t g_bytes =
      bytes_of<T>(larger(tile_products * g_plane, tiling.padded_size(tiling.block, tiling.c)));
  const std::int64_t bytes = v_bytes + g_bytes + bytes_of<T>(tiling.flat_size());
  const Scratch scratch(ctx, m_bytes + ctx.threads * bytes);
  T* sums = scratch.as<T>();  // [task, panel, product, c, k of the panel]
  char* memory = scratch.as<char>() + m_bytes;

  const std::int64_t positions = s.window.h.out * s.window.w.out;
  const auto* t = &tiling;
  parallel_for(ctx, tasks, s.n * s.k * positions * tiling.c,
               [=, &s, &image](std::int64_t task, int thread) {
                 char* workspace = memory + thread * bytes;
                 T* v = reinterpret_cast<T*>(workspace);
                 T* g = reinterpret_cast<T*>(workspace + v_bytes);
                 T* flat = reinterpret_cast<T*>(workspace + v_bytes + g_bytes);
                 const std::int64_t begin = all * task / tasks, end = all * (task + 1) / tasks;
                 for (std::int64_t i = begin; i < end; ++i) {
                   const std::int64_t n = i / parts.count, part = i % parts.count;
                   const std::int64_t first = parts.begin(part), last = parts.begin(part + 1);
                   const std::int64_t tiles = (last - first) * t->tiles;
                   transform_strip(*t, image, x, {n, first, last - first}, 0, 0, t->c, flat, g, v);
                   for (std::int64_t panel = 0; panel < panels; ++panel) {
                     const std::int64_t k = panel * cols;
                     for (std::int64_t row = first; row < last; ++row)
                       transform_gradient<taps>(*t, {n, row, 1}, smaller(cols, s.k - k), cols,
                                                dy + (n * s.k + k) * positions, flat, g_plane,
                                                g + (row - first) * t->tiles * cols);
                     multiply(*t, tiles, tiles, t->c, cols, v, g, g_plane, i > begin,
                              sums + task * m_size + panel * m_panel, m_plane);
                   }
                 }
               });

  // Adds the tasks' sums, and takes them back to filters.
  constexpr std::int64_t at_once = 16;
  const std::int64_t pieces = ceil_div(tiling.c, at_once);
  parallel_for(ctx, panels * pieces, m_bytes, [=, &image](std::int64_t task, int) {
    alignas(64) T filters[at_once * taps * taps * cols];
    const std::int64_t panel = task / pieces, c = task % pieces * at_once;
    const std::int64_t count = smaller(at_once, t->c - c);
    Finite<T> finite;
    T* m = sums + panel * m_panel + c * cols;
    for (int p = 0; p < tile_products; ++p)
      for (std::int64_t other = 1; other < tasks; ++other)
        for_lanes<T>(0, count * cols, [=, to = m + p * m_plane](auto at) {
          at.store(to, at.load(to) + at.load(to + other * m_size));
        });
    for (std::int64_t i = 0; i < count; ++i)
      transform_product<taps>(cols, m + i * cols, m_plane, false, filters + i * taps * taps * cols,
                              finite);
    image.scatter(filters, panel, c, count, dw);
    finite.report(not_finite, 0);
  });
}

}  // namespace

template <class T>
void conv2d_backward_weight_winograd(const Context& ctx, const Conv2dShape& s, const T* x,
                                     const T* dy, T* dw, unsigned char* not_finite) {
  if (has_stride(s))
    gradient_in_parts<T>(ctx, s, x, dy, dw, not_finite);
  else if (s.window.h.kernel == 3)
    gradient_in_blocks<T, 3>(ctx, s, x, dy, dw, not_finite);
  else
    gradient_in_blocks<T, 5>(ctx, s, x, dy, dw, not_finite);
}

template void conv2d_backward_weight_winograd<float>(const Context&, const Conv2dShape&,
                                                     const float*, const float*, float*,
                                                     unsigned char*);
template void conv2d_backward_weight_winograd<double>(const Context&, const Conv2dShape&,
                                                      const double*, const double*, double*,
                                                      unsigned char*);

}  // namespace limulus::cpu::LIMULUS_ISA

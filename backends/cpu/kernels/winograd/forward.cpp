// Convolution, and the gradient of its input, by Winograd's products (transforms.h).
//
//   1. the images' tiles are brought to the seven points: v;
//   2. so are the filters, for 32 output channels, a panel, at a time: u;
//   3. for about 54 tiles at a time (AVX-512; with AVX2 18 to 27) v and u are multiplied, 49
//      products [tiles, c] x [c, 32], into m, which is small enough for L2;
//   4. m is taken back to outputs, adding the bias and clamping at 0 meanwhile.
//
// Each output is a sum over channels in order, in pieces of 128 (floats), or of 64 where all tiles
// of a block are multiplied at one go. The shape decides which, the number of images included;
// threads never show in the result. Pieces of 128, added at the end, have three quarters of the
// rounding errors of one long sum, for 3 % of the time.
//
// The steps are the same for every convolution. In which order they come depends on where v fits.
//
// Without a stride (`convolve_in_blocks`) there may be many channels, and what a task would hold of
// v, u and m does not fit L2. v of some images, all channels, fits L3 (conv3: 11 of 32 images,
// 7.8 MB), so that v, and each filter and output once, are all that passes through memory.
//
//     for a block of strips:
//       v = B^T d B                                all threads: transform_block
//       for a panel of 32 outputs, and a part of the block's strips:      a task
//         for about 54 tiles:
//           for 128 input channels (64, if the block has no more tiles than these):
//             u = G g G^T                          for the task's first tiles: transform_filters
//             first channels m = v u,
//             later ones m += v u                  49 products: multiply
//           y = A^T m A + b                        transform_output
//
// u is 5.4 (2) times as large as 3 x 3 (5 x 5) filters: that is why no task's u is kept for the
// next block. For its own further tiles it is, from L3 if it must (conv3: 1.6 MB). With few tiles
// (one image) the filters are the larger side, and 64 channels of u fit L2.
//
// With a stride (`convolve_in_parts`): conv2d.cpp sends these here if the rearranged image has 48
// channels at most (few_channels); conv1's has just 48. All that a task holds (four rows of 11
// tiles: 414 KB of transformed tiles, 279 KB of products, 301 KB of filters) fits L2, so that v
// never leaves it.
//
//     u = G g G^T of all filters                   all threads: transform_all_filters
//     for some rows of tiles of an image:                                 a task
//       v = B^T d B                                transform_strip
//       for a panel:  m = v u,  y = A^T m A + b    multiply, transform_output
//
// Of conv4's time the products take 70 % (at 85 % of the peak), rearranging x and y 12 % (they come
// from memory), the ways to the points and back the rest (perf). The page has each layer's time.
#include "backends/cpu/kernels/matrix_kernels.h"
#include "backends/cpu/kernels/winograd/source.h"

namespace limulus::cpu::LIMULUS_ISA {
namespace {

// u[product, channel, k of the panel] = G g G^T for channels [begin, begin + count)
template <int Taps, class T, class Source>
void transform_filters(const Source& source, std::int64_t channels, const T* w, std::int64_t panel,
                       std::int64_t begin, std::int64_t count, std::int64_t u_plane, T* u) {
  using V = Vec<T>;
  constexpr int cols = Blocking<T>::cols, area = Taps * Taps, chunk = 8;
  alignas(64) T buffer[chunk * area * cols];
  for (std::int64_t i = 0; i < count; i += chunk) {
    const T* taps = w + (panel * channels + begin + i) * area * cols;  // if they are packed
    if (!source.packed) {
      source.gather(w, panel, begin + i, smaller(chunk, count - i), buffer);
      taps = buffer;
    }
    for (std::int64_t j = 0; j < smaller(chunk, count - i); ++j, taps += area * cols)
      for (int v = 0; v < cols; v += V::width) {
        const T* from = source.flipped ? taps + v + (area - 1) * cols : taps + v;
        const std::int64_t step = source.flipped ? -cols : cols;
        T* to = u + (i + j) * cols + v;
        both_axes<T, Taps, tile_in>(
            [](const V* g, V* out) { values<Taps, T>(g, out); },
            [=](int a, int b) { return V::load(from + (Taps * a + b) * step); },
            [=](int a, int b, V value) { value.store(to + (tile_in * a + b) * u_plane); });
      }
  }
}

// How many channels a product sums over: those of the last row of points, infinity, may be fewer.
struct Steps {
  std::int64_t all, at_infinity;
  std::int64_t of(int product) const {
    return product / tile_in == tile_in - 1 ? at_infinity : all;
  }
};

// m[product, tile, k of the panel] = or += v[product, tile, c] u[product, c, k of the panel]. Where
// the panel ends within a register, filters of zeros make up the rest.
template <class T, int Depth>
void multiply(const Tiling<T, Depth>& t, std::int64_t tiles, const Steps& steps,
              std::int64_t channels, const T* v, const T* u, std::int64_t u_plane, bool add, T* m,
              std::int64_t m_plane) {
  const int cols = static_cast<int>(round_up(channels, Vec<T>::width));
  const std::int64_t height = ceil_div(tiles, ceil_div(tiles, Blocking<T>::rows));
  for (int p = 0; p < tile_products; ++p)
    for (std::int64_t i = 0; i < tiles; i += height)
      multiply_tile<T, false, Tiling<T, Depth>::row_size>(
          static_cast<int>(smaller(height, tiles - i)), steps.of(p),
          v + t.offset[p] + i * t.row_size, PackedB<T>{u + p * u_plane},
          PackedC<T>{m + p * m_plane + i * Blocking<T>::cols, cols, add});
}

// How the work of a convolution without a stride is cut.
template <class T>
struct ForwardSchedule {
  static constexpr int cols = Blocking<T>::cols;
  std::int64_t k, panels;           // output channels of a group, and panels of `cols` of them
  std::int64_t task_strips, parts;  // strips of a task, and tasks for a panel's block
  std::int64_t strips_at_once;      // multiplied at a time: about 54 tiles
  std::int64_t steps;               // input channels multiplied at a time
  // u[piece of `steps` channels, product, channel, k]: the numbers of a product, and of a piece
  std::int64_t u_plane, u_size;
  bool keeps_u;          // u holds all channels, for the task's further strips
  std::int64_t m_plane;  // one product of `strips_at_once` strips

  ForwardSchedule(const Conv2dShape& s, const Tiling<T>& t) {
    k = s.k / s.groups;
    panels = ceil_div(k, cols);
    strips_at_once = smaller(t.block, larger(1, 4 * Blocking<T>::rows / t.tiles));
    const std::int64_t wanted = tasks_of_a_panel(s.groups * panels);
    const std::int64_t tasks = smaller(wanted, ceil_div(t.block, strips_at_once));
    task_strips = round_up(ceil_div(t.block, tasks), strips_at_once);
    parts = ceil_div(t.block, task_strips);
    keeps_u = t.block > strips_at_once;
    steps = smaller(t.c, Blocking<T>::depth / (keeps_u ? 3 : 6));
    u_plane = steps * cols + Tiling<T>::line;
    u_size = tile_products * u_plane;
    m_plane = strips_at_once * t.tiles * cols + t.line;
  }
  std::int64_t u_count(std::int64_t c) const {
    return keeps_u ? ceil_div(c, steps) * u_size : u_size;
  }
};

template <class T, int Taps>
void convolve_in_blocks(const Context& ctx, const Conv2dShape& s, const T* x, const T* w,
                        bool flipped, const T* b, T* y, unsigned char* not_finite) {
  constexpr std::int64_t v_bytes_most = 8 << 20;
  const PlainImage<T> image(s, flipped);
  Tiling<T> tiling(s, 32);
  tiling.set_largest_block(INT64_MAX, v_bytes_most);
  const ForwardSchedule<T> schedule(s, tiling);
  const std::int64_t v_bytes = bytes_of<T>(tiling.size());
  const std::int64_t u_bytes = bytes_of<T>(schedule.u_count(tiling.c));
  const std::int64_t m_bytes = bytes_of<T>(tile_products * schedule.m_plane);
  const std::int64_t bytes = u_bytes + m_bytes + bytes_of<T>(tiling.strip_size());
  const Scratch scratch(ctx, v_bytes + ctx.threads * bytes);
  T* v = scratch.as<T>();
  char* memory = scratch.as<char>() + v_bytes;

  const std::int64_t positions = s.window.h.out * s.window.w.out;
  const std::int64_t work = s.n * s.k * positions * tiling.c;
  const std::int64_t group_filters =
      tiling.c * Taps * Taps *
      (s.packed ? round_up(schedule.k, ForwardSchedule<T>::cols) : schedule.k);
  const Tiling<T>* t = &tiling;  // for the tasks, whose functions would copy it
  const ForwardSchedule<T>* plan = &schedule;
  for (std::int64_t begin = 0; begin < t->all; begin += t->block) {
    const std::int64_t end = smaller(begin + t->block, t->all);
    transform_block(ctx, tiling, image, x, begin, end, memory, bytes, v);  // step 1
    const std::int64_t tasks = s.groups * plan->panels * plan->parts;
    parallel_for(ctx, tasks, work, [=, &s, &image](std::int64_t task, int thread) {
      const std::int64_t part = task % plan->parts, panel = task / plan->parts % plan->panels;
      const std::int64_t group = task / plan->parts / plan->panels;
      const T* filters = w + group * group_filters;
      char* workspace = memory + thread * bytes;
      T* u = reinterpret_cast<T*>(workspace);
      T* m = reinterpret_cast<T*>(workspace + u_bytes);
      T* flat = reinterpret_cast<T*>(workspace + u_bytes + m_bytes);
      const std::int64_t k = panel * plan->cols, channels = smaller(plan->cols, plan->k - k);
      const std::int64_t first = begin + part * plan->task_strips;
      const std::int64_t last = smaller(end, first + plan->task_strips);
      for (std::int64_t strip = first; strip < last; strip += plan->strips_at_once) {
        const std::int64_t strips = smaller(plan->strips_at_once, last - strip);
        for (std::int64_t c = 0; c < t->c; c += plan->steps) {
          const std::int64_t steps = smaller(plan->steps, t->c - c);
          T* points = plan->keeps_u ? u + c / plan->steps * plan->u_size : u;
          if (strip == first)  // step 2
            transform_filters<Taps>(image, t->c, filters, panel, c, steps, plan->u_plane, points);
          multiply(*t, strips * t->tiles, {steps, steps}, channels,  // step 3
                   v + group * t->group_size + t->at((strip - begin) * t->tiles, c), points,
                   plan->u_plane, c > 0, m, plan->m_plane);
        }
        for (std::int64_t i = 0; i < strips; ++i) {  // step 4
          const TileRows at = t->strip(strip + i);
          Finite<T> finite;
          transform_output<Taps>(*t, at, channels, m + i * t->tiles * plan->cols, plan->m_plane,
                                 b ? b + group * plan->k + k : nullptr, flat,
                                 y + (at.image * s.k + group * plan->k + k) * positions, finite);
          finite.report(not_finite, at.image);
        }
      }
    });
  }
}

// Sizes of the filters at the points, where channels are few.
template <class T>
struct TransformedFilters {
  std::int64_t panels;
  std::int64_t plane, panel_size;  // numbers of one product of a panel, and of all 49
  explicit TransformedFilters(const Conv2dShape& s)
      : panels(ceil_div(s.k, Blocking<T>::cols)),
        plane(without_stride(s).c * Blocking<T>::cols),
        panel_size(tile_products * plane) {}
  std::int64_t size() const { return panels * panel_size; }
};

// u[panel, product, channel, k of the panel]
template <class T>
void transform_all_filters(const Context& ctx, const Conv2dShape& s, const T* w, T* u) {
  constexpr std::int64_t at_once = 8;
  const SpaceToDepth<T> image(s);
  const TransformedFilters<T> sizes(s);
  const std::int64_t channels = without_stride(s).c, parts = ceil_div(channels, at_once);
  parallel_for(ctx, sizes.panels * parts, sizes.size() * 4, [=, &image](std::int64_t task, int) {
    const std::int64_t panel = task / parts, begin = task % parts * at_once;
    transform_filters<SpaceToDepth<T>::taps>(
        image, channels, w, panel, begin, smaller(at_once, channels - begin), sizes.plane,
        u + panel * sizes.panel_size + begin * Blocking<T>::cols);
  });
}

template <class T>
void convolve_in_parts(const Context& ctx, const Conv2dShape& s, const T* x, const T* w, const T* b,
                       T* y, unsigned char* not_finite) {
  constexpr int taps = SpaceToDepth<T>::taps, cols = Blocking<T>::cols;
  const SpaceToDepth<T> image(s);
  Tiling<T, few_channels> tiling(without_stride(s), 1);
  const Parts<T> parts(&tiling, ceil_div(16, s.n));  // 16 tasks at least, also for one image
  const TransformedFilters<T> filters(s);
  const std::int64_t u_bytes = s.packed ? 0 : bytes_of<T>(filters.size());
  const std::int64_t v_bytes = bytes_of<T>(tiling.size());
  const std::int64_t m_plane = tiling.block * tiling.tiles * cols + tiling.line;
  // Until v is made, the image lies laid out where the products come later.
  const std::int64_t m_bytes =
      bytes_of<T>(larger(tile_products * m_plane, tiling.padded_size(tiling.block, tiling.c)));
  const std::int64_t bytes = v_bytes + m_bytes + bytes_of<T>(tiling.flat_size());
  const Scratch scratch(ctx, u_bytes + ctx.threads * bytes);
  if (!s.packed) transform_all_filters(ctx, s, w, scratch.as<T>());
  const T* u = s.packed ? w : scratch.as<T>();
  char* memory = scratch.as<char>() + u_bytes;

  const std::int64_t positions = s.window.h.out * s.window.w.out;
  const auto* t = &tiling;
  parallel_for(
      ctx, s.n * parts.count, s.n * s.k * positions * tiling.c,
      [=, &s, &image](std::int64_t task, int thread) {
        const std::int64_t n = task / parts.count, part = task % parts.count;
        const std::int64_t first = parts.begin(part), last = parts.begin(part + 1);
        char* workspace = memory + thread * bytes;
        T* v = reinterpret_cast<T*>(workspace);
        T* m = reinterpret_cast<T*>(workspace + v_bytes);
        T* flat = reinterpret_cast<T*>(workspace + v_bytes + m_bytes);
        transform_strip(*t, image, x, {n, first, last - first}, 0, 0, t->c, flat, m, v);  // step 1
        Finite<T> finite;
        for (std::int64_t panel = 0; panel < filters.panels; ++panel) {
          const std::int64_t k = panel * cols, channels = smaller(cols, s.k - k);
          multiply(*t, (last - first) * t->tiles, {t->c, image.seen_at_infinity()}, channels, v,
                   u + panel * filters.panel_size, filters.plane, false, m, m_plane);
          for (std::int64_t row = first; row < last; ++row)
            transform_output<taps>(*t, {n, row, 1}, channels, m + (row - first) * t->tiles * cols,
                                   m_plane, b ? b + k : nullptr, flat,
                                   y + (n * s.k + k) * positions, finite);
        }
        finite.report(not_finite, n);
      });
}

template <class T>
void gather_all_filters(const Context& ctx, const Conv2dShape& s, const T* w, T* packed) {
  Conv2dShape plain = s;
  plain.packed = false;
  const PlainImage<T> image(plain, false);
  const std::int64_t panels = ceil_div(image.k, Blocking<T>::cols);
  const std::int64_t size = image.c * image.area * Blocking<T>::cols;
  parallel_for(ctx, s.groups * panels, s.k * image.c * image.area * 8,
               [=, &image](std::int64_t task, int) {
                 image.gather(w + task / panels * image.k * image.c * image.area, task % panels, 0,
                              image.c, packed + task * size);
               });
}

}  // namespace

template <class T>
void conv2d_winograd(const Context& ctx, const Conv2dShape& s, const T* x, const T* w, bool flipped,
                     const T* b, T* y, unsigned char* not_finite) {
  if (has_stride(s))
    convolve_in_parts<T>(ctx, s, x, w, b, y, not_finite);
  else if (s.window.h.kernel == 3)
    convolve_in_blocks<T, 3>(ctx, s, x, w, flipped, b, y, not_finite);
  else
    convolve_in_blocks<T, 5>(ctx, s, x, w, flipped, b, y, not_finite);
}

template <class T>
std::size_t conv2d_winograd_packed_bytes(const Conv2dShape& s) {
  if (has_stride(s)) {
    return static_cast<std::size_t>(bytes_of<T>(TransformedFilters<T>(s).size()));
  }
  const std::int64_t k = s.groups * round_up(s.k / s.groups, Blocking<T>::cols);
  return static_cast<std::size_t>(k * (s.c / s.groups) * s.window.h.kernel * s.window.w.kernel) *
         sizeof(T);
}

template <class T>
void conv2d_winograd_pack(const Context& ctx, const Conv2dShape& s, const T* w, T* packed) {
  if (has_stride(s))
    transform_all_filters(ctx, s, w, packed);
  else
    gather_all_filters(ctx, s, w, packed);
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

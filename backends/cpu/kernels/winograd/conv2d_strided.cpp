// y[n, k, oh, ow] = b[k] + sum over c, fh, fw of x[n, c, oh*S + fh - P, ow*S + fw - P]
// w[k, c, fh, fw], where few channels are seen through a tile_cols window with a stride: rearranged
// (conv2d_strided.h), then by Winograd's products.
//
// A task is some rows of tiles of one image: it rearranges what they see, transforms it, and then,
// for 32 output channels at a time, multiplies and transforms back. What it holds meanwhile (conv1,
// four rows of 11 tiles: 414 KB of transformed tiles, 276 KB of products, 301 KB of filters) fits
// into L2, so that memory is read and written once.
#include "backends/cpu/kernels/winograd/conv2d_strided.h"

#include "backends/cpu/kernels/matrix_kernels.h"

namespace limulus::cpu::LIMULUS_ISA {
namespace {

// u[panel, product, channel, k of the panel] = (G w G^T)[k, channel] for the channels (p, c, ...)
template <class T>
void transform_filters(const SpaceToDepth<T>& d, std::int64_t panel, std::int64_t p, std::int64_t c,
                       const T* w, T* u) {
  constexpr int cols = SpaceToDepth<T>::cols, width = SpaceToDepth<T>::width;
  const std::int64_t first = panel * cols, count = smaller(cols, d.k - first);
  const std::int64_t area = d.h.kernel * d.w.kernel;
  alignas(64) T taps[9 * cols];
  for (std::int64_t q = 0; q < d.w.stride; ++q) {
    for (int i = 0; i < 9 * cols; ++i) taps[i] = 0;
    for (std::int64_t a = 0; p + a * d.h.stride < d.h.kernel; ++a)
      for (std::int64_t b = 0; q + b * d.w.stride < d.w.kernel; ++b) {
        const T* from =
            w + (first * d.c + c) * area + (p + a * d.h.stride) * d.w.kernel + q + b * d.w.stride;
        T* to = taps + (3 * a + b) * cols;
        for (std::int64_t k = 0; k < count; ++k) to[k] = from[k * d.c * area];
      }
    const std::int64_t channel = (p * d.c + c) * d.w.stride + q;
    T* to = u + panel * d.u_panel() + channel * cols;
    for (int v = 0; v < cols; v += width)
      both_axes<T, 3, tile_in>(
          [](const Vec<T>* g, Vec<T>* out) { values<3, T>(g, out); },
          [=, from = taps + v](int i, int j) { return Vec<T>::load(from + (3 * i + j) * cols); },
          [=, plane = d.channels * cols](int i, int j, Vec<T> g) {
            g.store(to + v + (tile_in * i + j) * plane);
          });
  }
}

// y[k, oh, ow] = b[k] + (A^T m A)[oh, ow], for a panel's output channels, `count` rows of tiles.
// y: the first of the panel's channels, its first row here.
template <class T>
void transform_products(const SpaceToDepth<T>& d, const T* m, std::int64_t row, std::int64_t count,
                        std::int64_t channels, const T* bias, bool relu, T* flat, T* y,
                        Finite<T>& finite) {
  using V = Vec<T>;
  constexpr int cols = SpaceToDepth<T>::cols, width = SpaceToDepth<T>::width;
  const std::int64_t positions = d.h.out * d.w.out, pitch = d.w.out * width;
  for (std::int64_t r = 0; r < count; ++r) {
    const std::int64_t oh = (row + r) * tile_side;
    const int tile_rows = static_cast<int>(smaller(tile_side, d.h.out - oh));
    for (std::int64_t k = 0; k < channels; k += width) {
      const std::int64_t lanes = smaller(width, channels - k);
      const V shift = bias ? V::load_n(bias + k, static_cast<int>(lanes)) : V::zero();
      const T* from = m + r * d.tiles_w * cols + k;
      for (std::int64_t ow = 0; ow < d.w.out; ow += tile_side, from += cols) {
        const int tile_cols = static_cast<int>(smaller(tile_side, d.w.out - ow));
        T* to = flat + ow * width;
        both_axes<T, tile_in, tile_side>([](const V* a, V* out) { powers<tile_side, T>(a, out); },
                                         [=, plane = d.m_plane()](int i, int j) {
                                           return V::load(from + (tile_in * i + j) * plane);
                                         },
                                         [=, &finite](int i, int j, V a) {
                                           if (i >= tile_rows || j >= tile_cols) return;
                                           finite.see(a);
                                           a = a + shift;
                                           if (relu) a = select(V::zero() > a, V::zero(), a);
                                           a.store(to + i * pitch + j * width);
                                         });
      }
      transpose(tile_rows * d.w.out, lanes, flat, width,
                y + k * positions + r * tile_side * d.w.out, positions);
    }
  }
}

bool can_deal(const Conv2dShape& s) {
  const auto fits = [](const Window1d& a) {
    return (a.stride == 2 || a.stride == 4) && a.dilation == 1 && a.kernel > 2 * a.stride &&
           a.kernel <= 3 * a.stride;
  };
  const Window1d &h = s.window.h, &w = s.window.w;
  return fits(h) && fits(w) && s.groups == 1 && s.c * h.stride * w.stride <= most_channels &&
         s.n * s.c * s.k * h.out * w.out > 0;
}

}  // namespace

// Dealing and transforming cost about as much as a few multiplications per number. Where this says
// yes (159 of 284 shapes: 1 or 3 channels, 8 to 96 outputs, maps of 19 x 19 to 227 x 227; one core
// of an Intel Xeon), windows of 9 to 12 with a stride of 4 took half the direct method's time in
// the middle (0.29 to 1 with AVX2, 0.30 to 1.2 with AVX-512). With a stride of 2 there is less to
// gain: windows of 6 over three channels took 0.6, those of 5 as long as the direct method, and
// over one channel, with four to sum over, 1.4 (AVX2) and 1.8 times (AVX-512) as long.
bool use_strided(const Conv2dShape& s) {
  if (!can_deal(s)) return false;
  const ConvMethod method = conv_method();
  if (method != ConvMethod::automatic) return method == ConvMethod::winograd;
  const Window1d &h = s.window.h, &w = s.window.w;
  const std::int64_t tiles = ceil_div(h.out, tile_side) * ceil_div(w.out, tile_side);
  return s.k >= 16 &&
         2 * tile_products * tiles * h.stride * w.stride <= h.kernel * w.kernel * h.out * w.out;
}

template <class T>
std::size_t conv2d_strided_packed_bytes(const Conv2dShape& s) {
  const SpaceToDepth<T> d(s, 1);
  return static_cast<std::size_t>(bytes_of<T>(d.panels * d.u_panel()));
}

template <class T>
void conv2d_strided_pack(const Context& ctx, const Conv2dShape& s, const T* w, T* packed) {
  const SpaceToDepth<T> sizes(s, 1);
  const SpaceToDepth<T>* d = &sizes;
  const std::int64_t work = sizes.panels * sizes.u_panel() * static_cast<std::int64_t>(sizeof(T));
  parallel_for(ctx, sizes.panels * sizes.h.stride * s.c, work, [=](std::int64_t task, int) {
    const std::int64_t p = task / d->c % d->h.stride, panel = task / d->c / d->h.stride;
    transform_filters(*d, panel, p, task % d->c, w, packed);
  });
}

template <class T>
void conv2d_forward_strided(const Context& ctx, const Conv2dShape& s, const T* x, const T* w,
                            const T* b, T* y, unsigned char* not_finite) {
  const SpaceToDepth<T> sizes(s, ceil_div(16, s.n));
  const SpaceToDepth<T>* d = &sizes;
  const std::int64_t u_bytes =
      s.packed ? 0 : static_cast<std::int64_t>(conv2d_strided_packed_bytes<T>(s));
  const std::int64_t bytes = SpaceToDepthMemory<T>::bytes(sizes);
  const Scratch scratch(ctx, u_bytes + ctx.threads * bytes);
  if (!s.packed) conv2d_strided_pack<T>(ctx, s, w, scratch.as<T>());
  const T* u = s.packed ? w : scratch.as<T>();
  char* memory = scratch.as<char>() + u_bytes;

  const std::int64_t work = s.n * s.k * sizes.h.out * sizes.w.out * sizes.channels;
  const bool relu = s.relu;
  parallel_for(ctx, s.n * sizes.parts, work, [=](std::int64_t task, int thread) {
    constexpr int cols = SpaceToDepth<T>::cols, most = Blocking<T>::rows;
    const std::int64_t n = task / d->parts, part = task % d->parts;
    const std::int64_t row = d->part_begin(part), count = d->part_begin(part + 1) - row;
    const SpaceToDepthMemory<T> workspace(*d, memory + thread * bytes);
    space_to_depth(*d, x + n * d->c * d->h.in * d->w.in, row, count, workspace.m);
    transform_tiles(*d, workspace.m, count, workspace.v);
    Finite<T> finite;
    const std::int64_t tiles = count * d->tiles_w, height = ceil_div(tiles, ceil_div(tiles, most));
    for (std::int64_t panel = 0; panel < d->panels; ++panel) {
      const std::int64_t k = panel * cols;
      const T* filters = u + panel * d->u_panel();
      for (int p = 0; p < tile_products; ++p, filters += d->channels * cols)
        for (std::int64_t t = 0; t < tiles; t += height)
          multiply_points<T, most_channels, 1>(
              static_cast<int>(smaller(height, tiles - t)), d->seen(p),
              workspace.v + p * d->v_plane() + t * most_channels, filters, false,
              workspace.m + p * d->m_plane() + t * cols);
      const std::int64_t positions = d->h.out * d->w.out;
      transform_products(*d, workspace.m, row, count, smaller(cols, d->k - k), b ? b + k : nullptr,
                         relu, workspace.flat,
                         y + (n * d->k + k) * positions + row * tile_side * d->w.out, finite);
    }
    finite.report(not_finite, n);
  });
}

template std::size_t conv2d_strided_packed_bytes<float>(const Conv2dShape&);
template std::size_t conv2d_strided_packed_bytes<double>(const Conv2dShape&);
template void conv2d_strided_pack<float>(const Context&, const Conv2dShape&, const float*, float*);
template void conv2d_strided_pack<double>(const Context&, const Conv2dShape&, const double*,
                                          double*);
template void conv2d_forward_strided<float>(const Context&, const Conv2dShape&, const float*,
                                            const float*, const float*, float*, unsigned char*);
template void conv2d_forward_strided<double>(const Context&, const Conv2dShape&, const double*,
                                             const double*, const double*, double*, unsigned char*);

}  // namespace limulus::cpu::LIMULUS_ISA

// dw[k, c, fh, fw] = sum over n, oh, ow of x[n, c, oh*S + fh - P, ow*S + fw - P] dy[n, k, oh, ow],
// where conv2d_strided.cpp serves for y: the same path backwards.
//
// y = A^T [ (G g G^T) * (B^T d B) ] A is linear in the filter g, and the gradient of a chain of
// linear steps is their transposes in reverse:
//
//     dg = G^T [ sum over tiles of (A dy A^T) * (B^T d B) ] G
//
// The sum over tiles is, for each of the 49 points, a matrix product [channels, tiles] x [tiles,
// k], which again takes a quarter of the multiplications that conv1 takes directly. The sums are
// long: the tiles are cut into chunks, whose sums are kept apart and added in order at the end, so
// that the result does not depend on the number of threads.
#include "backends/cpu/kernels/matrix_kernels.h"
#include "backends/cpu/kernels/winograd/conv2d_strided.h"

namespace limulus::cpu::LIMULUS_ISA {
namespace {

// z[product, tile, k of the panel] = (A dy A^T)[k] for `count` rows of tiles. dy: the panel's first
// channel, its first row here.
template <class T>
void transform_gradients(const SpaceToDepth<T>& d, const T* dy, std::int64_t row,
                         std::int64_t count, std::int64_t channels, T* flat, T* z) {
  using V = Vec<T>;
  constexpr int cols = SpaceToDepth<T>::cols, width = SpaceToDepth<T>::width;
  const std::int64_t positions = d.h.out * d.w.out, pitch = d.w.out * width;
  for (std::int64_t r = 0; r < count; ++r) {
    const int tile_rows = static_cast<int>(smaller(tile_side, d.h.out - (row + r) * tile_side));
    for (std::int64_t k = 0; k < cols; k += width) {
      const std::int64_t lanes = larger(0, smaller(width, channels - k));
      if (lanes < width)  // channels that do not exist are multiplied, too: as zeros
        for (std::int64_t i = 0; i < tile_rows * pitch; ++i) flat[i] = 0;
      transpose(lanes, tile_rows * d.w.out, dy + k * positions + r * tile_side * d.w.out, positions,
                flat, width);
      T* to = z + r * d.tiles_w * cols + k;
      for (std::int64_t ow = 0; ow < d.w.out; ow += tile_side, to += cols) {
        const int tile_cols = static_cast<int>(smaller(tile_side, d.w.out - ow));
        both_axes<T, tile_side, tile_in>([](const V* a, V* out) { values<tile_side, T>(a, out); },
                                         [=, from = flat + ow * width](int i, int j) {
                                           return i < tile_rows && j < tile_cols
                                                      ? V::load(from + i * pitch + j * width)
                                                      : V::zero();
                                         },
                                         [=, plane = d.m_plane()](int i, int j, V a) {
                                           a.store(to + (tile_in * i + j) * plane);
                                         });
      }
    }
  }
}

// dw of the channels (p, c, ...) of a panel, from the sums u [product, channel, k of the panel].
template <class T>
void transform_sums(const SpaceToDepth<T>& d, std::int64_t panel, std::int64_t p, std::int64_t c,
                    const T* u, T* dw, unsigned char* not_finite) {
  Finite<T> finite;
  constexpr int cols = SpaceToDepth<T>::cols, width = SpaceToDepth<T>::width;
  const std::int64_t first = panel * cols, count = smaller(cols, d.k - first);
  const std::int64_t area = d.h.kernel * d.w.kernel;
  alignas(64) T taps[9 * cols];
  for (std::int64_t q = 0; q < d.w.stride; ++q) {
    const T* from = u + ((p * d.c + c) * d.w.stride + q) * cols;
    for (int v = 0; v < cols; v += width)
      both_axes<T, tile_in, 3>([](const Vec<T>* m, Vec<T>* out) { powers<3, T>(m, out); },
                               [=, plane = d.channels * cols](int i, int j) {
                                 return Vec<T>::load(from + v + (tile_in * i + j) * plane);
                               },
                               [=, &finite, to = taps + v](int i, int j, Vec<T> g) {
                                 finite.see(g);
                                 g.store(to + (3 * i + j) * cols);
                               });
    for (std::int64_t a = 0; p + a * d.h.stride < d.h.kernel; ++a)
      for (std::int64_t b = 0; q + b * d.w.stride < d.w.kernel; ++b) {
        T* to =
            dw + (first * d.c + c) * area + (p + a * d.h.stride) * d.w.kernel + q + b * d.w.stride;
        const T* sums = taps + (3 * a + b) * cols;
        for (std::int64_t k = 0; k < count; ++k) to[k * d.c * area] = sums[k];
      }
  }
  finite.report(not_finite, 0);
}

}  // namespace

template <class T>
void conv2d_backward_weight_strided(const Context& ctx, const Conv2dShape& s, const T* x,
                                    const T* dy, T* dw, unsigned char* not_finite) {
  const SpaceToDepth<T> sizes(s, 1);
  const SpaceToDepth<T>* d = &sizes;
  const std::int64_t units = s.n * sizes.parts, chunks = smaller(units, 8);
  const std::int64_t u_size = sizes.panels * sizes.u_panel();
  const std::int64_t u_bytes = bytes_of<T>(chunks * u_size);
  const std::int64_t bytes = SpaceToDepthMemory<T>::bytes(sizes);
  const Scratch scratch(ctx, u_bytes + ctx.threads * bytes);
  T* u = scratch.as<T>();  // [chunk, panel, product, channel, k of the panel]
  char* memory = scratch.as<char>() + u_bytes;

  const std::int64_t work = s.n * s.k * sizes.h.out * sizes.w.out * sizes.channels;
  parallel_for(ctx, chunks, work, [=](std::int64_t chunk, int thread) {
    constexpr int cols = SpaceToDepth<T>::cols, most = Blocking<T>::rows;
    const SpaceToDepthMemory<T> workspace(*d, memory + thread * bytes);
    const std::int64_t begin = units * chunk / chunks, end = units * (chunk + 1) / chunks;
    for (std::int64_t unit = begin; unit < end; ++unit) {
      const std::int64_t n = unit / d->parts, part = unit % d->parts;
      const std::int64_t row = d->part_begin(part), count = d->part_begin(part + 1) - row;
      space_to_depth(*d, x + n * d->c * d->h.in * d->w.in, row, count, workspace.m);
      transform_tiles(*d, workspace.m, count, workspace.v);
      for (std::int64_t panel = 0; panel < d->panels; ++panel) {
        const std::int64_t k = panel * cols, positions = d->h.out * d->w.out;
        transform_gradients(*d, dy + (n * d->k + k) * positions + row * tile_side * d->w.out, row,
                            count, smaller(cols, d->k - k), workspace.flat, workspace.m);
        T* sums = u + chunk * u_size + panel * d->u_panel();
        for (int p = 0; p < tile_products; ++p, sums += d->channels * cols) {
          const std::int64_t rows = d->channels, height = ceil_div(rows, ceil_div(rows, most));
          for (std::int64_t q = 0; q < rows; q += height)
            multiply_points<T, 1, most_channels>(
                static_cast<int>(smaller(height, rows - q)), count * d->tiles_w,
                workspace.v + p * d->v_plane() + q, workspace.m + p * d->m_plane(), unit > begin,
                sums + q * cols);
        }
      }
    }
  });

  // Adds the chunks, and transforms the sums back.
  const std::int64_t sh = sizes.h.stride;
  parallel_for(ctx, sizes.panels * tile_products, u_bytes, [=](std::int64_t task, int) {
    const std::int64_t size = d->channels * SpaceToDepth<T>::cols;
    T* total = u + task * size;
    for (std::int64_t chunk = 1; chunk < chunks; ++chunk) {
      const T* next = total + chunk * u_size;
      for_lanes<T>(0, size, [=](auto at) { at.store(total, at.load(total) + at.load(next)); });
    }
  });
  parallel_for(ctx, sizes.panels * sh * s.c, u_size, [=, c = s.c](std::int64_t task, int) {
    const std::int64_t panel = task / sh / c;
    transform_sums(*d, panel, task / c % sh, task % c, u + panel * d->u_panel(), dw, not_finite);
  });
}

template void conv2d_backward_weight_strided<float>(const Context&, const Conv2dShape&,
                                                    const float*, const float*, float*,
                                                    unsigned char*);
template void conv2d_backward_weight_strided<double>(const Context&, const Conv2dShape&,
                                                     const double*, const double*, double*,
                                                     unsigned char*);

}  // namespace limulus::cpu::LIMULUS_ISA

// Convolution on the device: spread images out, multiply, gather. kernels/conv2d.cl has the
// formulas. The batch is taken in chunks whose columns fit the last cache.
#include <algorithm>

#include "backends/opencl/matrix.h"

namespace limulus {
namespace opencl {
namespace {

struct Image {  // the same as in kernels/conv2d.cl
  cl_long channels, h, w, fh, fw, oh, ow, sh, sw, ph, pw, dh, dw, image_step, offset;
};

// Sizes of one group of a convolution, and of a chunk of the batch.
struct Group {
  std::int64_t channels, filters, taps, inputs, outputs;  // taps: c fh fw; outputs: oh ow
  std::int64_t x_image, y_image;                          // from one image to the next
  std::int64_t chunk;                                     // images at a time
  DType dtype;

  Group(const Conv2dShape& s, DType type)
      : channels(s.c / s.groups),
        filters(s.k / s.groups),
        taps(channels * s.window.h.kernel * s.window.w.kernel),
        inputs(s.window.h.in * s.window.w.in),
        outputs(s.window.h.out * s.window.w.out),
        x_image(s.c * inputs),
        y_image(s.k * outputs),
        dtype(type) {
    constexpr std::int64_t columns_bytes = 12 << 20;
    const std::int64_t image = taps * outputs * static_cast<std::int64_t>(size_of(type));
    chunk = std::clamp<std::int64_t>(columns_bytes / std::max<std::int64_t>(image, 1), 1,
                                     std::max<std::int64_t>(s.n, 1));
  }

  // The images from `first` on, at group g.
  Image image(const Conv2dShape& s, std::int64_t g, std::int64_t first) const {
    const Window1d &h = s.window.h, &w = s.window.w;
    return {channels, h.in,       w.in,       h.kernel, w.kernel,
            h.out,    w.out,      h.stride,   w.stride, h.pad,
            w.pad,    h.dilation, w.dilation, x_image,  first * x_image + g * channels * inputs};
  }
  std::int64_t y_offset(std::int64_t g, std::int64_t first) const {
    return first * y_image + g * filters * outputs;
  }
};

std::size_t bytes(std::int64_t n) { return static_cast<std::size_t>(n); }

}  // namespace
}  // namespace opencl

// y [filters, n outputs] = w [filters, taps] columns [taps, n outputs] + b
void OpenClBackend::conv2d_forward(DType dtype, const Conv2dShape& s, const void* x, const void* w,
                                   const void* b, void* y) {
  using namespace opencl;
  run(dtype, "conv2d_forward", s, [&](Runtime& r) {
    if (s.n * s.k == 0) return;
    const Group z(s, dtype);
    const Workspace pa(pool(), bytes(packed_bytes(r, dtype, true, z.filters, z.taps)));
    const Workspace pb(pool(), bytes(packed_bytes(r, dtype, false, z.chunk * z.outputs, z.taps)));
    for (std::int64_t g = 0; g < s.groups; ++g) {
      pack(r, dtype, true, w, g * z.filters * z.taps, plain(z.filters, z.taps), plain(z.taps, 1),
           pa.data());
      for (std::int64_t first = 0; first < s.n; first += z.chunk) {
        const std::int64_t count = std::min(z.chunk, s.n - first);
        r.launch("conv2d", dtype, "im2col_positions",
                 {ceil_div(count * z.outputs, 2 * r.vec(dtype)), z.channels, 1}, x,
                 z.image(s, g, first), count, pb.data());
        multiply(r, dtype, z.filters, count * z.outputs, z.taps, pa.data(), pb.data(),
                 {y, z.y_offset(g, first), z.outputs, images(count, z.outputs, z.y_image),
                  b == nullptr ? Start::zero : Start::bias, b, g * z.filters});
      }
    }
  });
  if (s.relu) unary(dtype, UnaryOp::relu, s.n * s.k * s.window.h.out * s.window.w.out, y, y);
}

// dcolumns [taps, n outputs] = w^T [taps, filters] dy [filters, n outputs]; dx gathers from it
void OpenClBackend::conv2d_backward_input(DType dtype, const Conv2dShape& s, const void* dy,
                                          const void* w, void* dx) {
  using namespace opencl;
  run(dtype, "conv2d_backward_input", s, [&](Runtime& r) {
    if (s.n * s.c == 0) return;
    const Group z(s, dtype);
    const std::int64_t columns = z.chunk * z.outputs,
                       real = static_cast<std::int64_t>(size_of(dtype));
    const Workspace pa(pool(), bytes(packed_bytes(r, dtype, true, z.taps, z.filters)));
    const Workspace pb(pool(), bytes(packed_bytes(r, dtype, false, columns, z.filters)));
    const Workspace dcolumns(pool(), bytes(z.taps * columns * real));
    for (std::int64_t g = 0; g < s.groups; ++g) {
      pack(r, dtype, true, w, g * z.filters * z.taps, plain(z.taps, 1), plain(z.filters, z.taps),
           pa.data());
      for (std::int64_t first = 0; first < s.n; first += z.chunk) {
        const std::int64_t count = std::min(z.chunk, s.n - first), n = count * z.outputs;
        pack(r, dtype, false, dy, z.y_offset(g, first), images(count, z.outputs, z.y_image),
             plain(z.filters, z.outputs), pb.data());
        multiply(r, dtype, z.taps, n, z.filters, pa.data(), pb.data(),
                 {dcolumns.data(), 0, n, plain(n, 1)});
        r.launch("conv2d", dtype, "col2im", {z.channels, s.window.h.in, count}, dcolumns.data(),
                 z.image(s, g, first), count, dx);
      }
    }
  });
}

// dw [filters, taps] = dy [filters, n outputs] columns^T [n outputs, taps], chunk after chunk
void OpenClBackend::conv2d_backward_weight(DType dtype, const Conv2dShape& s, const void* x,
                                           const void* dy, void* dw) {
  using namespace opencl;
  run(dtype, "conv2d_backward_weight", s, [&](Runtime& r) {
    const Group z(s, dtype);
    const std::int64_t columns = z.chunk * z.outputs;
    const Workspace pa(pool(), bytes(packed_bytes(r, dtype, true, z.filters, columns)));
    const Workspace pb(pool(), bytes(packed_bytes(r, dtype, false, z.taps, columns)));
    for (std::int64_t g = 0; g < s.groups; ++g) {
      std::int64_t first = 0;
      do {  // an empty batch has a gradient, too: zero
        const std::int64_t count = std::min(z.chunk, s.n - first), n = count * z.outputs;
        pack(r, dtype, true, dy, z.y_offset(g, first), plain(z.filters, z.outputs),
             images(count, z.outputs, z.y_image), pa.data());
        r.launch("conv2d", dtype, "im2col_taps",
                 {ceil_div(z.taps, 2 * r.vec(dtype)), count * s.window.h.out, 1}, x,
                 z.image(s, g, first), count, pb.data());
        multiply(r, dtype, z.filters, z.taps, n, pa.data(), pb.data(),
                 {dw, g * z.filters * z.taps, z.taps, plain(z.taps, 1),
                  first == 0 ? Start::zero : Start::c});
        first += z.chunk;
      } while (first < s.n);
    }
  });
}

// db[k] = sum over n, oh, ow of dy: a row of dy after the other, then over the images
void OpenClBackend::conv2d_backward_bias(DType dtype, const Conv2dShape& s, const void* dy,
                                         void* db) {
  using namespace opencl;
  run(dtype, "conv2d_backward_bias", s, [&](Runtime& r) {
    const std::int64_t outputs = s.window.h.out * s.window.w.out;
    const Workspace rows(pool(), bytes(s.n * s.k) * size_of(dtype));
    r.launch("reduce", dtype, "sum_rows", {s.n * s.k, 1, 1}, dy, rows.data(), s.n * s.k, outputs,
             outputs);
    r.launch("reduce", dtype, "sum_across", {ceil_div(s.k, r.tuning().run_across), 1, 1},
             rows.data(), db, s.n, s.k);
  });
}

}  // namespace limulus

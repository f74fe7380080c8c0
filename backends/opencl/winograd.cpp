// Convolution by Winograd's products (kernels/winograd.cl): transform both factors, multiply at each
// of the 36 points, transform back. The batch is taken in chunks whose arrays fit the last cache.
#include <algorithm>

#include "backends/opencl/convolution.h"
#include "backends/opencl/matrix.h"

namespace limulus::opencl {
namespace {

constexpr std::int64_t points = 36;

struct Tiles {  // the same as in kernels/winograd.cl
  cl_long tiles, tiles_h, tiles_w, offset, image, plane, pitch, out;
};

// One group's sizes. `image_tiles`: tiles that cover an image's outputs.
struct Plan {
  Group group;
  std::int64_t taps, out, tiles_h, tiles_w, image_tiles, chunk;

  Plan(const Runtime& r, DType dtype, const Conv2dShape& s)
      : group(s),
        taps(s.window.h.kernel),
        out(7 - taps),
        tiles_h(ceil_div(s.window.h.out, out)),
        tiles_w(ceil_div(s.window.w.out, out)),
        image_tiles(tiles_h * tiles_w) {
    const std::int64_t image = points * image_tiles * (group.channels + group.filters) *
                               static_cast<std::int64_t>(size_of(dtype));
    chunk = std::clamp<std::int64_t>(r.tuning().winograd_bytes / image, 1, s.n);
  }

  // All pixels that tiles see, zeros included.
  Spread image(const Conv2dShape& s) const {
    const Window1d &h = s.window.h, &w = s.window.w;
    return {h.in, w.in, 1, 1, h.pad, w.pad, out * tiles_h + 6 - out, out * tiles_w + 6 - out, 0};
  }
  // Whole tiles of outputs.
  Spread gradient(const Conv2dShape& s) const {
    return {s.window.h.out, s.window.w.out, 1, 1, 0, 0, out * tiles_h, out * tiles_w, 0};
  }
  // Tiles of `count` images, in an array of `channels` planes an image.
  Tiles tiles(std::int64_t count, std::int64_t offset, std::int64_t channels, std::int64_t plane,
              std::int64_t pitch) const {
    return {count * image_tiles, tiles_h, tiles_w, offset, channels * plane, plane, pitch, out};
  }
};

const char* pick(const Plan& p, const char* three, const char* five) {
  return p.taps == 3 ? three : five;
}

void image_points(Runtime& r, DType dtype, const void* x, const Tiles& t, std::int64_t channels,
                  bool by_channel, void* to) {
  const std::int64_t lines = by_channel ? channels : t.tiles;
  r.launch("winograd", dtype, "image_points",
           {ceil_div(lines, r.vec(dtype)), by_channel ? t.tiles : channels, 1}, x, t, channels,
           by_channel ? 1 : 0, to);
}

}  // namespace

// Worth it where tiles are not mostly edge, and where each transform serves many channels.
bool winograd_pays(const Conv2dShape& s) {
  const Window1d &h = s.window.h, &w = s.window.w;
  if (h.kernel != w.kernel || (h.kernel != 3 && h.kernel != 5)) return false;
  for (const Window1d* a : {&h, &w})
    if (a->stride != 1 || a->dilation != 1) return false;
  if (s.n == 0 || s.c == 0 || s.k == 0) return false;
  const ConvMethod method = conv_method();
  if (method != ConvMethod::automatic) return method == ConvMethod::winograd;
  const std::int64_t out = 7 - h.kernel, tiles = ceil_div(h.out, out) * ceil_div(w.out, out);
  return std::min(s.c, s.k) / s.groups >= 32 && s.n * tiles >= 12 &&
         4 * points * tiles <= 3 * h.kernel * w.kernel * h.out * w.out;
}

void winograd_convolve(Runtime& r, DType dtype, const Conv2dShape& s, bool turned, const void* x,
                       const void* w, const void* b, void* y, Pool& pool) {
  const Plan p(r, dtype, s);
  const Group& z = p.group;
  const Spread image = p.image(s);
  const std::int64_t plane = spread_size(image, 1), square = p.taps * p.taps;
  const std::int64_t most = p.chunk * p.image_tiles, pitch = round_up(most, r.vec(dtype));
  const std::int64_t u_size = packed_a(r, dtype, z.filters, z.channels);
  const Workspace copy(pool, bytes_of(dtype, spread_size(image, s.n * s.c)));
  const Workspace u(pool, bytes_of(dtype, points * u_size));
  const Workspace v(pool, bytes_of(dtype, points * packed_b(r, dtype, most, z.channels)));
  const Workspace m(pool, bytes_of(dtype, points * z.filters * pitch));
  spread(r, dtype, image, s.n * s.c, x, copy.data());
  for (std::int64_t g = 0; g < s.groups; ++g) {
    const std::int64_t filter_step = turned ? square : z.channels * square;
    const std::int64_t channel_step = turned ? z.filters * square : square;
    r.launch("winograd", dtype, pick(p, "filter_points_3", "filter_points_5"),
             {ceil_div(z.channels, r.vec(dtype)), z.filters, 1}, w,
             g * z.filters * z.channels * square, z.filters, filter_step, z.channels, channel_step,
             turned ? 1 : 0, u.data());
    for (std::int64_t first = 0; first < s.n; first += p.chunk) {
      const std::int64_t count = std::min(p.chunk, s.n - first), tiles = count * p.image_tiles;
      const std::int64_t n = round_up(tiles, r.vec(dtype));
      image_points(r, dtype, copy.data(),
                   p.tiles(count, (first * s.c + g * z.channels) * plane, s.c, plane, image.pitch),
                   z.channels, false, v.data());
      multiply(r, dtype,
               {z.filters, n, z.channels, n, false, 0, points, u_size,
                packed_b(r, dtype, tiles, z.channels), z.filters * n},
               u.data(), v.data(), m.data());
      r.launch(
          "winograd", dtype, pick(p, "outputs_3", "outputs_5"),
          {ceil_div(tiles, r.vec(dtype)), z.filters, 1}, m.data(), n, z.filters,
          p.tiles(count, (first * s.k + g * z.filters) * z.outputs, s.k, z.outputs, s.window.w.out),
          s.window.h.out, s.window.w.out, b, g * z.filters, s.relu ? 1 : 0, y);
    }
  }
}

void winograd_weight_gradient(Runtime& r, DType dtype, const Conv2dShape& s, const void* x,
                              const void* dy, void* dw, Pool& pool) {
  const Plan p(r, dtype, s);
  const Group& z = p.group;
  const Spread image = p.image(s), gradient = p.gradient(s);
  const std::int64_t plane = spread_size(image, 1), dy_plane = spread_size(gradient, 1);
  const std::int64_t most = p.chunk * p.image_tiles, n = round_up(z.channels, r.vec(dtype));
  const Workspace copy(pool, bytes_of(dtype, spread_size(image, s.n * s.c)));
  const Workspace dy_copy(pool, bytes_of(dtype, spread_size(gradient, s.n * s.k)));
  const Workspace u(pool, bytes_of(dtype, points * packed_a(r, dtype, z.filters, most)));
  const Workspace v(pool, bytes_of(dtype, points * packed_b(r, dtype, z.channels, most)));
  const Workspace m(pool, bytes_of(dtype, points * z.filters * n));
  spread(r, dtype, image, s.n * s.c, x, copy.data());
  spread(r, dtype, gradient, s.n * s.k, dy, dy_copy.data());
  for (std::int64_t g = 0; g < s.groups; ++g) {
    for (std::int64_t first = 0; first < s.n; first += p.chunk) {
      const std::int64_t count = std::min(p.chunk, s.n - first), tiles = count * p.image_tiles;
      r.launch(
          "winograd", dtype, pick(p, "gradient_points_3", "gradient_points_5"),
          {ceil_div(tiles, r.vec(dtype)), z.filters, 1}, dy_copy.data(),
          p.tiles(count, (first * s.k + g * z.filters) * dy_plane, s.k, dy_plane, gradient.pitch),
          z.filters, u.data());
      image_points(r, dtype, copy.data(),
                   p.tiles(count, (first * s.c + g * z.channels) * plane, s.c, plane, image.pitch),
                   z.channels, true, v.data());
      multiply(r, dtype,
               {z.filters, n, tiles, n, first > 0, 0, points, packed_a(r, dtype, z.filters, tiles),
                packed_b(r, dtype, z.channels, tiles), z.filters * n},
               u.data(), v.data(), m.data());
    }
    r.launch("winograd", dtype, pick(p, "weights_3", "weights_5"),
             {ceil_div(z.channels, r.vec(dtype)), z.filters, 1}, m.data(), n, z.filters, z.channels,
             dw, g * z.filters * z.taps);
  }
}

}  // namespace limulus::opencl

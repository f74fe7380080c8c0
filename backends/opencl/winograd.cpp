// Convolution by Winograd's products (kernels/winograd.cl): transform both factors, multiply at
// each of the 49 points, transform back. The batch is taken in chunks whose arrays fit the last
// cache.
#include <algorithm>

#include "backends/opencl/convolution.h"
#include "backends/opencl/matrix.h"

namespace limulus::opencl {
namespace {

constexpr std::int64_t tile_in = 7, tile_products = tile_in * tile_in;  // kernels/winograd.cl
constexpr std::int64_t tail = 16;  // numbers that a vector may read past a tile's row

struct Direct {  // the same as in kernels/direct.cl
  cl_long images, channels, h, w, fh, fw, oh, ow, sh, sw, ph, pw;
  cl_long x_offset, x_image, y_offset, y_image;
  cl_long w_offset, filter_step, channel_step, tap_step;
};

// Group g of the convolution as it was asked for, from image `first` on.
Direct direct(const Conv2dShape& s, std::int64_t g, std::int64_t first, bool flipped) {
  const Group z(s);
  const Window1d &h = s.window.h, &w = s.window.w;
  const std::int64_t area = h.kernel * w.kernel;
  return {.images = s.n,
          .channels = z.channels,
          .h = h.in,
          .w = w.in,
          .fh = h.kernel,
          .fw = w.kernel,
          .oh = h.out,
          .ow = w.out,
          .sh = h.stride,
          .sw = w.stride,
          .ph = h.pad,
          .pw = w.pad,
          .x_offset = (first * s.c + g * z.channels) * z.inputs,
          .x_image = s.c * z.inputs,
          .y_offset = (first * s.k + g * z.filters) * z.outputs,
          .y_image = s.k * z.outputs,
          .w_offset = g * z.filters * z.taps + (flipped ? area - 1 : 0),
          .filter_step = flipped ? area : z.taps,
          .channel_step = flipped ? z.filters * area : area,
          .tap_step = flipped ? -1 : 1};
}

struct Tiles {  // the same as in kernels/winograd.cl
  cl_long tiles, tiles_h, tiles_w, offset, image, plane, pitch, out;
};

// What the kernels know of a filter before it is rearranged.
struct SpaceToDepth {  // the same as in kernels/winograd.cl
  cl_long channels, fh, fw, sh, sw, th, tw;
};
SpaceToDepth space_to_depth(const Conv2dShape& s) {
  const Window1d &h = s.window.h, &w = s.window.w;
  return {s.c / s.groups,
          h.kernel,
          w.kernel,
          h.stride,
          w.stride,
          ceil_div(h.kernel, h.stride),
          ceil_div(w.kernel, w.stride)};
}

// One group's sizes of a convolution without a stride. `image_tiles`: tiles that cover an image's
// outputs.
struct Plan {
  Group group;
  std::int64_t taps, out, tiles_h, tiles_w, image_tiles, chunk;

  Plan(const Runtime& r, DType dtype, const Conv2dShape& s)
      : group(s),
        taps(s.window.h.kernel),
        out(tile_in + 1 - taps),
        tiles_h(ceil_div(s.window.h.out, out)),
        tiles_w(ceil_div(s.window.w.out, out)),
        image_tiles(tiles_h * tiles_w) {
    const std::int64_t image = tile_products * image_tiles * (group.channels + group.filters) *
                               static_cast<std::int64_t>(size_of(dtype));
    chunk = std::clamp<std::int64_t>(r.tuning().winograd_bytes / image, 1, s.n);
  }

  // All pixels that tiles see, zeros included, of the convolution as it was asked for.
  Spread image(const Conv2dShape& asked) const {
    return spread_of(asked, out * tiles_h + taps - 1, out * tiles_w + taps - 1, tail);
  }
  // Whole tiles of outputs.
  Spread gradient(const Conv2dShape& s) const {
    const std::int64_t h = s.window.h.out, w = s.window.w.out;
    return {h, w, 1, 1, 0, 0, out * tiles_h, out * tiles_w, tail, h, w};
  }
  // Tiles of `count` images, in an array of `channels` planes an image.
  Tiles tiles(std::int64_t count, std::int64_t offset, std::int64_t channels, std::int64_t plane,
              std::int64_t pitch) const {
    return {count * image_tiles, tiles_h, tiles_w, offset, channels * plane, plane, pitch, out};
  }
  // Those that group g of images [first, first + count) sees: in a processor's copy, or in x.
  Tiles image_tiles_of(const Runtime& r, const Conv2dShape& s, const Conv2dShape& asked,
                       const Spread& image, std::int64_t g, std::int64_t first,
                       std::int64_t count) const {
    const bool copied = r.tuning().processor;
    const std::int64_t channels = copied ? s.c : asked.c;
    const std::int64_t plane = copied ? image.rows * image.pitch : image.h * image.w;
    return tiles(count, (first * channels + g * channels / s.groups) * plane, channels, plane,
                 image.pitch);
  }
};

const char* pick(const Plan& p, const char* three, const char* five) {
  return p.taps == 3 ? three : five;
}

// From a copy with zeros around it; on a GPU from x itself, of which `from` tells the borders.
void image_points(Runtime& r, DType dtype, const void* x, const Tiles& t, const Spread& from,
                  std::int64_t channels, bool by_channel, void* to) {
  if (!r.tuning().processor)
    return r.launch("winograd", dtype, "image_points", {t.tiles, channels, 1}, x, t, from, channels,
                    to);
  const std::int64_t lines = by_channel ? channels : t.tiles;
  r.launch("winograd", dtype, "image_points",
           {round_up(lines, r.panel_b(dtype)) / r.vec(dtype), by_channel ? t.tiles : channels, 1},
           x, t, channels, by_channel ? 1 : 0, to);
}

// Square filters of 3 or 5, not dilated, of the image with its stride taken out.
bool can_use_winograd(const Conv2dShape& asked) {
  if (asked.window.h.dilation != 1 || asked.window.w.dilation != 1) return false;
  const Conv2dShape s = without_stride(asked);
  const std::int64_t kernel = s.window.h.kernel;
  return kernel == s.window.w.kernel && (kernel == 3 || kernel == 5) &&
         s.n * s.c * s.k * s.window.h.out * s.window.w.out > 0;
}

// Worth it where tiles are not mostly edge, and where each transform serves many channels: the
// products' multiply-adds are at most 3/4 of the direct method's.
bool winograd_pays(const Conv2dShape& asked) {
  const Conv2dShape s = without_stride(asked);
  const Window1d &h = s.window.h, &w = s.window.w;
  const std::int64_t out = tile_in + 1 - h.kernel,
                     tiles = ceil_div(h.out, out) * ceil_div(w.out, out);
  const std::int64_t taps = asked.window.h.kernel * asked.window.w.kernel;
  return std::min(s.c, s.k) / s.groups >= 32 && s.n * tiles >= 12 &&
         4 * tile_products * tiles * s.c <= 3 * taps * h.out * w.out * asked.c;
}

}  // namespace

bool use_winograd(const Conv2dShape& asked) {
  if (!can_use_winograd(asked)) return false;
  const ConvMethod method = conv_method();
  return method == ConvMethod::automatic ? winograd_pays(asked) : method == ConvMethod::winograd;
}

void winograd_convolve(Runtime& r, DType dtype, const Conv2dShape& asked, bool flipped,
                       const void* x, const void* w, const void* b, void* y, Pool& pool) {
  const void* weights_asked = w;
  const Conv2dShape s = without_stride(asked);
  const Plan p(r, dtype, s);
  const Group& z = p.group;
  const Spread image = p.image(asked);
  const bool processor = r.tuning().processor;
  const std::int64_t square = p.taps * p.taps;
  const std::int64_t most = p.chunk * p.image_tiles, pitch = round_up(most, r.vec(dtype));
  const std::int64_t rows = processor ? round_up(z.filters, r.panel_a()) : z.filters;
  const std::int64_t u_size =
      processor ? packed_a(r, dtype, z.filters, z.channels) : z.filters * z.channels;
  const std::int64_t v_size = processor ? packed_b(r, dtype, most, z.channels) : most * z.channels;
  const Workspace copy(pool,
                       bytes_of(dtype, processor ? spread_size(image, asked.n * asked.c) : 0));
  const std::int64_t weights = has_stride(asked) ? s.k * z.taps : 0;
  const Workspace filters(pool, bytes_of(dtype, weights));
  if (weights > 0) {
    r.launch("winograd", dtype, "space_to_depth", {ceil_div(weights, r.tuning().run), 1, 1},
             weights, space_to_depth(asked), w, filters.data());
    w = filters.data();
  }
  const Workspace u(pool, bytes_of(dtype, tile_products * u_size));
  const Workspace v(pool, bytes_of(dtype, tile_products * v_size));
  const Workspace m(pool, bytes_of(dtype, tile_products * z.filters * pitch));
  if (processor) spread(r, dtype, image, asked.n * asked.c, x, copy.data());
  for (std::int64_t g = 0; g < s.groups; ++g) {
    const std::int64_t filter_step = flipped ? square : z.channels * square;
    const std::int64_t channel_step = flipped ? z.filters * square : square;
    r.launch("winograd", dtype, pick(p, "filter_points_3", "filter_points_5"),
             {ceil_div(z.channels, r.lanes(dtype)), rows, 1}, w,
             g * z.filters * z.channels * square, z.filters, filter_step, z.channels, channel_step,
             flipped ? 1 : 0, u.data());
    for (std::int64_t first = 0; first < s.n; first += p.chunk) {
      const std::int64_t count = std::min(p.chunk, s.n - first), tiles = count * p.image_tiles;
      const std::int64_t n = round_up(tiles, r.vec(dtype));
      image_points(r, dtype, processor ? copy.data() : x,
                   p.image_tiles_of(r, s, asked, image, g, first, count), image, z.channels, false,
                   v.data());
      if (processor)
        multiply(r, dtype,
                 {z.filters, n, z.channels, n, false, 0, tile_products, u_size,
                  packed_b(r, dtype, tiles, z.channels), z.filters * n},
                 u.data(), v.data(), m.data(), pool);
      else
        multiply(r, dtype,
                 {.m = z.filters,
                  .n = tiles,
                  .k = z.channels,
                  .ldc = n,
                  .batch = tile_products,
                  .c_batch = z.filters * n},
                 {u.data(), 0, z.channels, 1, u_size}, {v.data(), 0, 1, tiles, tiles * z.channels},
                 m.data(), pool);
      r.launch(
          "winograd", dtype, pick(p, "outputs_3", "outputs_5"),
          {ceil_div(tiles, r.lanes(dtype)), z.filters, 1}, m.data(), n, z.filters,
          p.tiles(count, (first * s.k + g * z.filters) * z.outputs, s.k, z.outputs, s.window.w.out),
          s.window.h.out, s.window.w.out, b, g * z.filters, s.relu ? 1 : 0, y, x, weights_asked,
          direct(asked, g, first, flipped));
    }
  }
}

void winograd_weight_gradient(Runtime& r, DType dtype, const Conv2dShape& asked, const void* x,
                              const void* dy, void* dw, Pool& pool) {
  const Conv2dShape s = without_stride(asked);
  const Plan p(r, dtype, s);
  const Group& z = p.group;
  const Spread image = p.image(asked), gradient = p.gradient(s);
  const bool processor = r.tuning().processor;
  const std::int64_t dy_plane = processor ? gradient.rows * gradient.pitch : z.outputs;
  const std::int64_t most = p.chunk * p.image_tiles, n = round_up(z.channels, r.vec(dtype));
  const Workspace copy(pool,
                       bytes_of(dtype, processor ? spread_size(image, asked.n * asked.c) : 0));
  const Workspace dy_copy(pool, bytes_of(dtype, processor ? spread_size(gradient, s.n * s.k) : 0));
  const std::int64_t weights = has_stride(asked) ? s.k * z.taps : 0;
  const Workspace rearranged(pool, bytes_of(dtype, weights));
  void* to = weights > 0 ? rearranged.data() : dw;
  const std::int64_t rows = processor ? round_up(z.filters, r.panel_a()) : z.filters;
  const std::int64_t u_size = processor ? packed_a(r, dtype, z.filters, most) : z.filters * most;
  const std::int64_t v_size = processor ? packed_b(r, dtype, z.channels, most) : z.channels * most;
  const Workspace u(pool, bytes_of(dtype, tile_products * u_size));
  const Workspace v(pool, bytes_of(dtype, tile_products * v_size));
  const Workspace m(pool, bytes_of(dtype, tile_products * z.filters * n));
  if (processor) {
    spread(r, dtype, image, asked.n * asked.c, x, copy.data());
    spread(r, dtype, gradient, s.n * s.k, dy, dy_copy.data());
  }
  for (std::int64_t g = 0; g < s.groups; ++g) {
    for (std::int64_t first = 0; first < s.n; first += p.chunk) {
      const std::int64_t count = std::min(p.chunk, s.n - first), tiles = count * p.image_tiles;
      const Tiles dy_tiles =
          p.tiles(count, (first * s.k + g * z.filters) * dy_plane, s.k, dy_plane, gradient.pitch);
      const Items items = {ceil_div(tiles, r.lanes(dtype)), rows, 1};
      const char* const points = pick(p, "gradient_points_3", "gradient_points_5");
      if (processor)
        r.launch("winograd", dtype, points, items, dy_copy.data(), dy_tiles, z.filters, u.data());
      else
        r.launch("winograd", dtype, points, items, dy, dy_tiles, gradient, z.filters, u.data());
      image_points(r, dtype, processor ? copy.data() : x,
                   p.image_tiles_of(r, s, asked, image, g, first, count), image, z.channels,
                   processor, v.data());
      if (processor)
        multiply(r, dtype,
                 {z.filters, n, tiles, n, first > 0, 0, tile_products,
                  packed_a(r, dtype, z.filters, tiles), packed_b(r, dtype, z.channels, tiles),
                  z.filters * n},
                 u.data(), v.data(), m.data(), pool);
      else
        multiply(r, dtype,
                 {.m = z.filters,
                  .n = z.channels,
                  .k = tiles,
                  .ldc = n,
                  .add = first > 0,
                  .batch = tile_products,
                  .c_batch = z.filters * n},
                 {u.data(), 0, tiles, 1, tiles * z.filters},
                 {v.data(), 0, tiles, 1, tiles * z.channels}, m.data(), pool);
    }
    r.launch("winograd", dtype, pick(p, "weights_3", "weights_5"),
             {ceil_div(z.channels, r.lanes(dtype)), z.filters, 1}, m.data(), n, z.filters,
             z.channels, to, g * z.filters * z.taps, x, dy, direct(asked, g, 0, false));
  }
  if (weights > 0) {
    const std::int64_t all = s.k * Group(asked).taps;
    r.launch("winograd", dtype, "depth_to_space", {ceil_div(all, r.tuning().run), 1, 1}, all,
             space_to_depth(asked), rearranged.data(), dw);
  }
}

}  // namespace limulus::opencl

// Convolution on the device by one of two methods: directly (kernels/conv2d.cl has the formulas),
// or by Winograd's products where those pay (winograd.cpp).
#include "backends/opencl/convolution.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <limits>

#include "backends/opencl/matrix.h"
#include "backends/opencl/reduce.h"
#include "core/error.h"

namespace limulus {
namespace opencl {

Group::Group(const Conv2dShape& s)
    : channels(s.c / s.groups),
      filters(s.k / s.groups),
      taps(channels * s.window.h.kernel * s.window.w.kernel),
      inputs(s.window.h.in * s.window.w.in),
      outputs(s.window.h.out * s.window.w.out) {}

void spread(Runtime& r, DType dtype, const Spread& s, std::int64_t planes, const void* x,
            void* to) {
  const std::int64_t images = planes * s.sh * s.sw;
  const std::int64_t all = images * s.rows * s.pitch + s.tail;
  r.launch("conv2d", dtype, "spread", {r.tuning().processor ? images : all, 1, 1}, x, s, images,
           to);
}

Spread spread_of(const Conv2dShape& s, std::int64_t rows, std::int64_t pitch, std::int64_t tail) {
  const Window1d &h = s.window.h, &w = s.window.w;
  const auto read = [](const Window1d& a) {  // up to the end of the last window
    const std::int64_t end = (a.out - 1) * a.stride + (a.kernel - 1) * a.dilation + 1 - a.pad;
    return std::clamp<std::int64_t>(end, 0, a.in);
  };
  return {h.in, w.in, h.stride, w.stride, h.pad, w.pad, rows, pitch, tail, read(h), read(w)};
}

std::int64_t spread_size(const Spread& s, std::int64_t planes) {
  return planes * s.sh * s.sw * s.rows * s.pitch + s.tail;
}

namespace {

// The copy of x that the direct method reads: so many rows and columns that each tap finds its own.
// `past`: how far the last group of positions may read beyond the end.
// ShapeError where tap_offsets (kernels/conv2d.cl), which are of 32 bits, would not reach its end.
Spread spread_for_taps(const Conv2dShape& s, std::int64_t past) {
  const Window1d &h = s.window.h, &w = s.window.w;
  const Spread spread = spread_of(s, h.out + (h.kernel - 1) * h.dilation / h.stride,
                                  w.out + (w.kernel - 1) * w.dilation / w.stride, past);
  const std::int64_t channels = Group(s).channels, phases = spread.sh * spread.sw;
  if (channels * phases * spread.rows * spread.pitch > std::numeric_limits<std::int32_t>::max())
    throw ShapeError(fmt::format(
        "conv2d: an image's copy for the taps has {} channels x {} phases x {} rows x {} columns = "
        "{} values, more than the 2^31 - 1 = 2147483647 that this backend's offsets can name; cut "
        "the image into parts",
        channels, phases, spread.rows, spread.pitch,
        channels * phases * spread.rows * spread.pitch));
  return spread;
}

// From the first output to the last, in rows of the spread image.
std::int64_t positions(const Conv2dShape& s, const Spread& x) {
  return (s.window.h.out - 1) * x.pitch + s.window.w.out;
}

void tap_offsets(Runtime& r, DType dtype, const Conv2dShape& s, const Spread& x, void* table) {
  const Window1d &h = s.window.h, &w = s.window.w;
  const std::int64_t taps = Group(s).taps;
  r.launch("conv2d", dtype, "tap_offsets", {ceil_div(taps, r.tuning().run), 1, 1}, taps, h.kernel,
           w.kernel, h.dilation, w.dilation, x, table);
}

// y = conv(x, w) + b. `flipped`: the filters are w [c of this call, k/groups, fh, fw], each flipped
// on both axes.
void convolve(Runtime& r, DType dtype, const Conv2dShape& s, bool flipped, const void* x,
              const void* w, const void* b, void* y, Pool& pool) {
  if (use_winograd(s)) return winograd_convolve(r, dtype, s, flipped, x, w, b, y, pool);
  const Group z(s);
  const Spread spread_x = spread_for_taps(s, r.panel_b(dtype));
  const std::int64_t fhw = s.window.h.kernel * s.window.w.kernel;
  const std::int64_t plane = spread_size(spread_x, 1) - spread_x.tail;
  const Workspace table(pool, bytes_of(DType::i32, z.taps));
  const Workspace copy(pool, bytes_of(dtype, spread_size(spread_x, s.n * s.c)));
  const bool processor = r.tuning().processor;
  const Workspace filters(pool, bytes_of(dtype, processor ? packed_a(r, dtype, z.filters, z.taps)
                                                : flipped ? z.filters * z.taps
                                                          : 0));
  tap_offsets(r, dtype, s, spread_x, table.data());
  spread(r, dtype, spread_x, s.n * s.c, x, copy.data());
  for (std::int64_t g = 0; g < s.groups; ++g) {
    Operand a = {w, g * z.filters * z.taps, z.filters, z.taps, z.taps, 1};
    if (flipped) {
      // Tap (k, fh, fw) of channel c stands at (k channels + c) fhw + fhw - 1 - (fh, fw).
      a.offset += fhw - 1;
      a.line_step = fhw;
      a.step = -1;
      a.piece = fhw;
      a.piece_step = z.filters * fhw;
    }
    const Items groups = {ceil_div(z.filters, r.panel_a()),
                          ceil_div(positions(s, spread_x), r.panel_b(dtype)), s.n};
    if (!processor) {
      if (flipped)
        r.launch("gemm", dtype, "flip", {z.taps, z.filters, 1}, a.data, a.offset, a.line_step,
                 z.taps, a.piece, a.piece_step, a.step, filters.data());
      const bool many = z.taps > plain_passes * r.tuning().k_pass;
      const Workspace lost(pool, bytes_of(dtype, many ? s.n * s.k * z.outputs : 0));
      void* const kept = many ? lost.data() : nullptr;
      std::int64_t p0 = 0;
      do {  // without a tap, y is the bias
        const std::int64_t p1 = std::min<std::int64_t>(z.taps, p0 + r.tuning().k_pass);
        r.launch_groups("conv2d", dtype, "conv_tile", groups, flipped ? filters.data() : w,
                        flipped ? std::int64_t{0} : a.offset, copy.data(), g * z.channels * plane,
                        s.c * plane, table.data(), z.taps, p0, p1, spread_x, y,
                        g * z.filters * z.outputs, s.k * z.outputs, z.filters, s.window.h.out,
                        s.window.w.out, b, g * z.filters, s.relu ? 1 : 0, kept);
        p0 = p1;
      } while (p0 < z.taps);
      continue;
    }
    pack_a(r, dtype, a, filters.data());
    r.launch_groups("conv2d", dtype, "conv_tile", groups, filters.data(), copy.data(),
                    g * z.channels * plane, s.c * plane, table.data(), z.taps, spread_x, y,
                    g * z.filters * z.outputs, s.k * z.outputs, z.filters, s.window.h.out,
                    s.window.w.out, b, g * z.filters, s.relu ? 1 : 0);
  }
}

const char* method_of(const Conv2dShape& s) {
  if (!use_winograd(s)) return "direct";
  return s.window.h.stride > 1 || s.window.w.stride > 1 ? "space-to-depth, winograd" : "winograd";
}

struct WeightRows {  // the same as in kernels/conv2d_backward.cl
  cl_long oh, ow, pitch;
};

struct Columns {  // the same as in kernels/conv2d_backward.cl
  cl_long channels, h, w, fh, fw, oh, ow, sh, sw, ph, pw, dh, dw, offset, image_step;
};

// dx by way of columns, for strides above 1: a chunk of images at a time, as columns are large.
void input_by_columns(Runtime& r, DType dtype, const Conv2dShape& s, const void* dy, const void* w,
                      void* dx, Pool& pool) {
  constexpr std::int64_t chunk_elements = 3 << 20;
  const Group z(s);
  const Window1d &h = s.window.h, &v = s.window.w;
  const std::int64_t chunk = std::clamp<std::int64_t>(
      chunk_elements / std::max<std::int64_t>(z.taps * z.outputs, 1), 1, s.n);
  const bool processor = r.tuning().processor;
  const std::int64_t b_size = processor ? packed_b(r, dtype, z.outputs, z.filters) : 0;
  const Workspace a(pool, bytes_of(dtype, processor ? packed_a(r, dtype, z.taps, z.filters) : 0));
  const Workspace b(pool, bytes_of(dtype, chunk * b_size));
  const Workspace columns(pool, bytes_of(dtype, chunk * z.taps * z.outputs));
  for (std::int64_t g = 0; g < s.groups; ++g) {
    if (processor)
      pack_a(r, dtype, {w, g * z.filters * z.taps, z.taps, 1, z.filters, z.taps}, a.data());
    for (std::int64_t first = 0; first < s.n; first += chunk) {
      const std::int64_t count = std::min(chunk, s.n - first);
      const std::int64_t offset = (first * s.k + g * z.filters) * z.outputs;
      if (processor) {
        pack_b(r, dtype, {dy, offset, z.outputs, 1, z.filters, z.outputs, count, s.k * z.outputs},
               b.data());
        multiply(r, dtype,
                 {z.taps, z.outputs, z.filters, z.outputs, false, 0, count, 0, b_size,
                  z.taps * z.outputs},
                 a.data(), b.data(), columns.data(), pool);
      } else {
        multiply(r, dtype,
                 {.m = z.taps,
                  .n = z.outputs,
                  .k = z.filters,
                  .ldc = z.outputs,
                  .batch = count,
                  .c_batch = z.taps * z.outputs},
                 {w, g * z.filters * z.taps, 1, z.taps},
                 {dy, offset, 1, z.outputs, s.k * z.outputs}, columns.data(), pool);
      }
      const Columns c = {z.channels,    h.in,
                         v.in,          h.kernel,
                         v.kernel,      h.out,
                         v.out,         h.stride,
                         v.stride,      h.pad,
                         v.pad,         h.dilation,
                         v.dilation,    (first * s.c + g * z.channels) * z.inputs,
                         s.c * z.inputs};
      r.launch("conv2d_backward", dtype, "col2im",
               processor ? Items{z.channels, h.in, count} : Items{z.inputs, z.channels, count},
               columns.data(), c, dx);
    }
  }
}

// Into how many parts `units` of sums are cut on a GPU, each of no more than a pass: so that there
// are enough groups for a whole device, and no longer sums than those of a product; as far as the
// parts' weights do not need 256 MB.
std::int64_t parts_of(const Runtime& r, std::int64_t groups, std::int64_t units, std::int64_t unit,
                      std::int64_t weights) {
  if (r.tuning().processor || units == 0) return 1;
  constexpr std::int64_t most = 1 << 26;
  std::int64_t parts =
      std::max(groups_wanted / std::max<std::int64_t>(groups, 1),
               ceil_div(units, std::max<std::int64_t>(r.tuning().k_pass / unit, 1)));
  parts = std::min({parts, units, most / std::max<std::int64_t>(weights, 1)});
  return ceil_div(units, ceil_div(units, std::max<std::int64_t>(parts, 1)));
}

void weight_gradient(Runtime& r, DType dtype, const Conv2dShape& s, const void* x, const void* dy,
                     void* dw, Pool& pool) {
  if (use_winograd(s)) return winograd_weight_gradient(r, dtype, s, x, dy, dw, pool);
  const Group z(s);
  const Spread spread_x = spread_for_taps(s, r.panel_b(dtype));
  const std::int64_t count = round_up(positions(s, spread_x), r.vec(dtype));
  const Window1d &h = s.window.h, &v = s.window.w;
  const Spread spread_dy = {
      h.out, v.out, 1, 1, 0, 0, ceil_div(count, spread_x.pitch), spread_x.pitch, 0, h.out, v.out};
  const std::int64_t plane = spread_size(spread_x, 1) - spread_x.tail,
                     dy_plane = spread_size(spread_dy, 1);
  // conv2d_backward.cl: WF
  const std::int64_t tile_filters = r.tuning().processor ? 4 : r.panel_a();
  const std::int64_t tile_taps = r.tuning().processor ? r.tuning().taps_run : r.panel_b(dtype);
  const std::int64_t tiles_k = ceil_div(z.filters, tile_filters);
  const std::int64_t tiles_t = ceil_div(z.taps, tile_taps);
  const std::int64_t weights = s.k * z.taps;
  // A processor's sums run over images, a GPU's over pieces of them (conv2d_backward.cl: SPAN).
  const std::int64_t span = r.tuning().processor ? count : r.tuning().k_block;
  const std::int64_t units = s.n * ceil_div(count, span);
  const std::int64_t parts =
      parts_of(r, tiles_k * tiles_t * s.groups, units, std::min(span, count), weights);

  const Workspace table(pool, bytes_of(DType::i32, z.taps));
  const Workspace copy(pool, bytes_of(dtype, spread_size(spread_x, s.n * s.c)));
  const Workspace dy_copy(pool, bytes_of(dtype, spread_size(spread_dy, s.n * s.k)));
  const Workspace partial(pool, bytes_of(dtype, parts > 1 ? parts * weights : 0));
  tap_offsets(r, dtype, s, spread_x, table.data());
  spread(r, dtype, spread_x, s.n * s.c, x, copy.data());
  spread(r, dtype, spread_dy, s.n * s.k, dy, dy_copy.data());
  for (std::int64_t g = 0; g < s.groups; ++g)
    r.launch_groups("conv2d_backward", dtype, "conv_weight", {tiles_k, tiles_t, parts}, copy.data(),
                    g * z.channels * plane, s.c * plane, table.data(), z.taps, dy_copy.data(),
                    g * z.filters * dy_plane, s.k * dy_plane, dy_plane, count, z.filters, units,
                    ceil_div(units, parts), parts > 1 ? partial.data() : dw, g * z.filters * z.taps,
                    weights, WeightRows{h.out, v.out, spread_x.pitch});
  if (parts > 1)
    r.launch("reduce", dtype, "sum_across", {ceil_div(weights, r.tuning().run_across), 1, 1},
             partial.data(), dw, parts, weights, parts);
}

}  // namespace
}  // namespace opencl

void OpenClBackend::conv2d_forward(DType dtype, const Conv2dShape& s, const void* x, const void* w,
                                   const void* b, void* y) {
  using namespace opencl;
  run(dtype, "conv2d_forward", s, [&](Runtime& r, Trace& trace) {
    if (s.n * s.k == 0) return;
    trace.used(method_of(s));
    convolve(r, dtype, s, false, x, w, b, y, pool());
  });
}

void OpenClBackend::conv2d_backward_input(DType dtype, const Conv2dShape& s, const void* dy,
                                          const void* w, void* dx) {
  using namespace opencl;
  run(dtype, "conv2d_backward_input", s, [&](Runtime& r, Trace& trace) {
    if (s.n * s.c == 0) return;
    if (s.window.h.stride > 1 || s.window.w.stride > 1) {
      trace.used("columns");
      return input_by_columns(r, dtype, s, dy, w, dx, pool());
    }
    const Conv2dShape gradient = input_gradient(s);
    trace.used(method_of(gradient));
    convolve(r, dtype, gradient, true, dy, w, nullptr, dx, pool());
  });
}

void OpenClBackend::conv2d_backward_weight(DType dtype, const Conv2dShape& s, const void* x,
                                           const void* dy, void* dw) {
  using namespace opencl;
  if (s.n * s.window.h.out * s.window.w.out == 0)  // sums of nothing
    return fill(dtype, s.k * Group(s).taps, 0, dw);
  run(dtype, "conv2d_backward_weight", s, [&](Runtime& r, Trace& trace) {
    trace.used(method_of(s));
    weight_gradient(r, dtype, s, x, dy, dw, pool());
  });
}

// db[k] = sum over n, oh, ow of dy: a row of dy after the other, then over the images
void OpenClBackend::conv2d_backward_bias(DType dtype, const Conv2dShape& s, const void* dy,
                                         void* db) {
  using namespace opencl;
  run(dtype, "conv2d_backward_bias", s, [&](Runtime& r) {
    const std::int64_t outputs = s.window.h.out * s.window.w.out;
    const Workspace maps(pool(), bytes_of(dtype, s.n * s.k));
    reduce_rows(r, dtype, "sum_rows", s.n * s.k, outputs, dy, maps.data(), pool());
    reduce_across(r, dtype, "sum_across", 1, s.n, s.k, maps.data(), db, pool());
  });
}

}  // namespace limulus

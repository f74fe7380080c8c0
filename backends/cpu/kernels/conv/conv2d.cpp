// Which way a convolution goes: by Winograd's products (winograd/transforms.h), or directly.
//
// Winograd's method serves windows of 3 x 3 and 5 x 5 that move by one pixel. It multiplies a fifth
// to a third as often, but brings images, filters and outputs to seven points and back, which only
// pays if each of them is used often: an image once for each output channel, a filter once for each
// tile. `winograd_pays` counts both, in multiply-adds that the register tile would do meanwhile. A
// fifth of them must be saved, as a count is not a time. The input gradient of a convolution with a
// stride always goes directly.
// The weights 500 and 300 were fitted to 106 shapes, 3 to 128 channels on maps of 6 x 6 to 56 x 56
// (one core of an AMD EPYC, Zen 5, AVX-512): where it says yes (63), Winograd's method took 0.21 to
// 0.66 of the direct one's time forward, 0.22 to 0.93 for the weight gradient; where it says no,
// half of it at best (maps of 6 x 6) and up to twice as long (3 channels).
//
// The instruction set is not asked. With AVX2 (one core of an Intel Xeon, 168 shapes, one image and
// eight) the same weights say yes to 105, and Winograd's method took 0.39 of the direct one's time
// there in the middle, 0.7 at most, forward and for the input gradient, 0.56 for the weight
// gradient (0.9; but 1.1 to 2.1 for 16 channels on maps of 56 x 56, as with AVX-512). The other 63,
// small maps or few channels, took half to twice as long. AlexNet's five layers, eight images: 0.35
// to 0.46 forward, 0.40 to 0.56 backward (`limulus bench`).
#include "backends/cpu/kernels/matrix_kernels.h"
#include "backends/cpu/kernels/winograd/source.h"

namespace limulus::cpu::LIMULUS_ISA {
namespace {

bool winograd_pays(const Conv2dShape& s) {
  const Window1d &h = s.window.h, &w = s.window.w;
  const std::int64_t out = tile_in + 1 - h.kernel, c = s.c / s.groups, k = s.k / s.groups;
  const std::int64_t tiles = ceil_div(h.out, out) * ceil_div(w.out, out);
  const std::int64_t direct = s.n * h.out * w.out * c * k * h.kernel * w.kernel;
  const std::int64_t products = s.n * tiles * tile_products * c * k;
  const std::int64_t transforms = 500 * s.n * tiles * (c + k) + 300 * c * k;
  return 5 * (products + transforms) < 4 * direct;
}

bool use_winograd(const Conv2dShape& s) {
  const Window1d &h = s.window.h, &w = s.window.w;
  for (const Window1d* a : {&h, &w})
    if ((a->kernel != 3 && a->kernel != 5) || a->stride != 1 || a->dilation != 1) return false;
  if (h.kernel != w.kernel || s.n * s.c * s.k * h.out * w.out == 0) return false;
  const ConvMethod method = conv_method();
  return method == ConvMethod::automatic ? winograd_pays(s) : method == ConvMethod::winograd;
}

// With a stride: few channels are seen through a wide window, which space-to-depth (source.h) makes
// one of 3 x 3.
bool can_rearrange(const Conv2dShape& s) {
  const auto fits = [](const Window1d& a) {
    return (a.stride == 2 || a.stride == 4) && a.dilation == 1 && a.kernel > 2 * a.stride &&
           a.kernel <= 3 * a.stride;
  };
  const Window1d &h = s.window.h, &w = s.window.w;
  return fits(h) && fits(w) && s.groups == 1 && s.c * h.stride * w.stride <= few_channels &&
         s.n * s.c * s.k * h.out * w.out > 0;
}

// To rearrange and to transform cost about as much as a few multiplications per number. Where this
// says yes (159 of 284 shapes: 1 or 3 channels, 8 to 96 outputs, maps of 19 x 19 to 227 x 227; one
// core of an Intel Xeon), windows of 9 to 12 with a stride of 4 took half the direct method's time
// in the middle (0.29 to 1 with AVX2, 0.30 to 1.2 with AVX-512). With a stride of 2 there is less
// to gain: windows of 6 over three channels took 0.6, those of 5 as long as the direct method, and
// over one channel, with four to sum over, 1.4 (AVX2) and 1.8 times (AVX-512) as long.
bool use_rearranged(const Conv2dShape& s) {
  if (!can_rearrange(s)) return false;
  const ConvMethod method = conv_method();
  if (method != ConvMethod::automatic) return method == ConvMethod::winograd;
  const Window1d &h = s.window.h, &w = s.window.w;
  constexpr int out = tile_out<3>;
  const std::int64_t tiles = ceil_div(h.out, out) * ceil_div(w.out, out);
  return s.k >= 16 &&
         2 * tile_products * tiles * h.stride * w.stride <= h.kernel * w.kernel * h.out * w.out;
}

// Whether Winograd's method serves, with a stride or without.
bool use_either(const Conv2dShape& s) { return use_winograd(s) || use_rearranged(s); }

const char* winograd_name(const Conv2dShape& s) {
  if (has_stride(s)) return "space-to-depth, winograd F(5x5,3x3)";
  return s.window.h.kernel == 3 ? "winograd F(5x5,3x3)" : "winograd F(3x3,5x5)";
}
constexpr const char* both_names = "winograd, and direct where that was not finite";

// winograd(not_finite) computes `images` results, and then direct(first, count) those again in
// which something was not finite: a tile mixes its pixels, and one infinity or NaN among them would
// reach outputs whose windows do not hold it (transforms.h).
template <class Winograd, class Direct>
void winograd_or_direct(const Context& ctx, const char* name, std::int64_t images,
                        Winograd winograd, Direct direct) {
  ctx.use(name);
  const Scratch scratch(ctx, images);
  unsigned char* not_finite = scratch.as<unsigned char>();
  for (std::int64_t n = 0; n < images; ++n) not_finite[n] = 0;
  winograd(not_finite);
  for (std::int64_t n = 0, first; n < images; ++n) {
    if (not_finite[n] == 0) continue;
    for (first = n; n < images && not_finite[n] != 0;) ++n;
    ctx.use(both_names);
    direct(first, n - first);
  }
}

std::int64_t weight_count(const Conv2dShape& s) {
  return s.k * (s.c / s.groups) * s.window.h.kernel * s.window.w.kernel;
}

// Numbers in front of the weights themselves in what conv2d_pack makes of them.
template <class T>
std::size_t packed_count(const Conv2dShape& s) {
  return conv2d_winograd_packed_bytes<T>(s) / sizeof(T);
}

}  // namespace

template <class T>
void conv2d_forward(const Context& ctx, const Conv2dShape& s, const T* x, const T* w, const T* b,
                    T* y) {
  if (!use_either(s)) {
    ctx.use("direct");
    return conv2d_forward_direct<T>(ctx, s, x, w, b, y);
  }
  const std::int64_t image_x = s.c * s.window.h.in * s.window.w.in;
  const std::int64_t image_y = s.k * s.window.h.out * s.window.w.out;
  winograd_or_direct(
      ctx, winograd_name(s), s.n,
      [&](unsigned char* not_finite) { conv2d_winograd<T>(ctx, s, x, w, false, b, y, not_finite); },
      [&](std::int64_t first, std::int64_t count) {
        Conv2dShape part = s;
        part.n = count;
        part.packed = false;
        conv2d_forward_direct<T>(ctx, part, x + first * image_x,
                                 s.packed ? w + packed_count<T>(s) : w, b, y + first * image_y);
      });
}

template <class T>
void conv2d_backward_input(const Context& ctx, const Conv2dShape& s, const T* dy, const T* w,
                           T* dx) {
  const Conv2dShape t = input_gradient(s);
  if (!use_winograd(t)) {
    ctx.use("direct");
    return conv2d_backward_input_direct<T>(ctx, s, dy, w, dx);
  }
  winograd_or_direct(
      ctx, winograd_name(s), s.n,
      [&](unsigned char* not_finite) {
        conv2d_winograd<T>(ctx, t, dy, w, true, nullptr, dx, not_finite);
      },
      [&](std::int64_t first, std::int64_t count) {
        Conv2dShape part = s;
        part.n = count;
        conv2d_backward_input_direct<T>(ctx, part,
                                        dy + first * s.k * s.window.h.out * s.window.w.out, w,
                                        dx + first * s.c * s.window.h.in * s.window.w.in);
      });
}

template <class T>
void conv2d_backward_weight(const Context& ctx, const Conv2dShape& s, const T* x, const T* dy,
                            T* dw) {
  if (!use_either(s)) {
    ctx.use("direct");
    return conv2d_backward_weight_direct<T>(ctx, s, x, dy, dw);
  }
  winograd_or_direct(
      ctx, winograd_name(s), 1,
      [&](unsigned char* not_finite) {
        conv2d_backward_weight_winograd<T>(ctx, s, x, dy, dw, not_finite);
      },
      [&](std::int64_t, std::int64_t) { conv2d_backward_weight_direct<T>(ctx, s, x, dy, dw); });
}

// The direct method reads weights as they are. Winograd's is spared turning them over, which shows
// where there are few tiles for each filter: for an image or two. Behind what it reads lie the
// weights as they are, for the direct method.
template <class T>
std::size_t conv2d_packed_bytes(const Conv2dShape& s) {
  if (!use_either(s) || (!has_stride(s) && s.n > 2)) return 0;
  return (packed_count<T>(s) + static_cast<std::size_t>(weight_count(s))) * sizeof(T);
}
template <class T>
void conv2d_pack(const Context& ctx, const Conv2dShape& s, const T* w, T* packed) {
  copy_row(weight_count(s), w, packed + packed_count<T>(s));
  conv2d_winograd_pack<T>(ctx, s, w, packed);
}

template std::size_t conv2d_packed_bytes<float>(const Conv2dShape&);
template std::size_t conv2d_packed_bytes<double>(const Conv2dShape&);
template void conv2d_pack<float>(const Context&, const Conv2dShape&, const float*, float*);
template void conv2d_pack<double>(const Context&, const Conv2dShape&, const double*, double*);
template void conv2d_forward<float>(const Context&, const Conv2dShape&, const float*, const float*,
                                    const float*, float*);
template void conv2d_forward<double>(const Context&, const Conv2dShape&, const double*,
                                     const double*, const double*, double*);
template void conv2d_backward_input<float>(const Context&, const Conv2dShape&, const float*,
                                           const float*, float*);
template void conv2d_backward_input<double>(const Context&, const Conv2dShape&, const double*,
                                            const double*, double*);
template void conv2d_backward_weight<float>(const Context&, const Conv2dShape&, const float*,
                                            const float*, float*);
template void conv2d_backward_weight<double>(const Context&, const Conv2dShape&, const double*,
                                             const double*, double*);

}  // namespace limulus::cpu::LIMULUS_ISA

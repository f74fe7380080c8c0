// Which way a convolution goes: by Winograd's products (winograd.h), or directly.
//
// Winograd's 36 multiplications per tile and pair of channels are fewer than the 9 per output unless
// a map is so small that most of its tiles lie beyond its edge. They must also pay for transforms:
// 36 numbers in and out per tile and channel, each of which is used once per channel of the other
// side. With few channels the direct method is as fast, and more accurate.
#include "backends/cpu/kernels/matrix_kernels.h"
#include "backends/cpu/kernels/memory_kernels.h"
#include "backends/cpu/kernels/parallel.h"

namespace limulus::cpu::LIMULUS_ISA {
namespace {

bool use_winograd(const Conv2dShape& s) {
  const Window1d &h = s.window.h, &w = s.window.w;
  for (const Window1d* a : {&h, &w})
    if (a->kernel != 3 || a->stride != 1 || a->dilation != 1 || a->pad < 0) return false;
  if (s.n == 0 || s.c == 0 || s.k == 0) return false;
  const ConvMethod method = conv_method();
  if (method != ConvMethod::automatic) return method == ConvMethod::winograd;
  const std::int64_t tiles_h = ceil_div(h.out, 4), tiles_w = ceil_div(w.out, 4);
  return smaller(s.c, s.k) / s.groups >= 32 && tiles_w <= 256 && s.n * tiles_h * tiles_w >= 12 &&
         4 * 36 * tiles_h * tiles_w <= 3 * 9 * h.out * w.out;
}

// The convolution, of dy, that dx is where the stride is 1: channels exchanged, padding F - 1 - P.
Conv2dShape gradient(const Conv2dShape& s) {
  Conv2dShape t = s;
  t.c = s.k;
  t.k = s.c;
  for (Window1d* a : {&t.window.h, &t.window.w}) {
    const std::int64_t in = a->in;
    a->in = a->out;
    a->out = in;
    a->pad = a->kernel - 1 - a->pad;
  }
  return t;
}

}  // namespace

template <class T>
void conv2d_forward(const Context& ctx, const Conv2dShape& s, const T* x, const T* w, const T* b,
                    T* y) {
  if (use_winograd(s)) {
    ctx.use("winograd F(4x4,3x3)");
    conv2d_winograd<T>(ctx, s, x, w, false, b, y);
    if (s.relu) unary<T>(ctx, UnaryOp::relu, s.n * s.k * s.window.h.out * s.window.w.out, y, y);
  } else {
    ctx.use("direct");
    conv2d_forward_direct<T>(ctx, s, x, w, b, y);
  }
}

template <class T>
void conv2d_backward_input(const Context& ctx, const Conv2dShape& s, const T* dy, const T* w,
                           T* dx) {
  const Conv2dShape t = gradient(s);
  if (use_winograd(t)) {
    ctx.use("winograd F(4x4,3x3)");
    conv2d_winograd<T>(ctx, t, dy, w, true, nullptr, dx);
  } else {
    ctx.use("direct");
    conv2d_backward_input_direct<T>(ctx, s, dy, w, dx);
  }
}

template <class T>
void conv2d_backward_weight(const Context& ctx, const Conv2dShape& s, const T* x, const T* dy,
                            T* dw) {
  ctx.use("direct");
  conv2d_backward_weight_direct<T>(ctx, s, x, dy, dw);
}

// No method reads weights that were laid out before.
template <class T>
std::size_t conv2d_packed_bytes(const Conv2dShape&) {
  return 0;
}
template <class T>
void conv2d_pack(const Context&, const Conv2dShape&, const T*, T*) {}

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

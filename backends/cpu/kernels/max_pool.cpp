// Max pooling.
//
//   forward    y[n,c,oh,ow] = max over the window's taps inside the image of
//                             x[n, c, oh S - P + fh D, ow S - P + fw D]
//   backward   dx[n, c, argmax] += dy
//
// A plane's maxima, and where they stand, are found by the loops of max_pool_plane.h.
//
// Backward, windows overlap (AlexNet: 3 x 3 windows at stride 2), so two of them may name the same
// element: a plane belongs to one thread, which adds in row-major order. No atomics, fixed order.
// Putting a plane together in the cache and streaming it from there was tried and is slower.
#include "backends/cpu/kernels/max_pool_plane.h"
#include "backends/cpu/kernels/memory_kernels.h"

namespace limulus::cpu::LIMULUS_ISA {
namespace {

// Planes that one task takes, so that it moves about 64 KiB.
LIMULUS_INLINE std::int64_t planes_per_task(std::int64_t plane_bytes) {
  return larger(1, 64 * 1024 / larger(1, plane_bytes));
}

}  // namespace

template <class T>
void max_pool2d_forward(const Context& ctx, const Pool2dShape& s, const T* x, T* y,
                        std::int32_t* argmax) {
  const Window2d win = s.window;
  const std::int64_t planes = s.n * s.c, in = win.h.in * win.w.in, out = win.h.out * win.w.out;
  const std::int64_t item = static_cast<std::int64_t>(sizeof(T));
  const std::int64_t bytes = (in + out) * item + (argmax == nullptr ? 0 : out * 4);
  const std::int64_t group = planes_per_task(bytes);
  const PoolPlane<T> pool_plane = pool_plane_for<T>(win, argmax != nullptr);
  parallel_for(ctx, ceil_div(planes, group), planes * bytes, [=](std::int64_t task, int) {
    const std::int64_t end = smaller(planes, (task + 1) * group);
    for (std::int64_t p = task * group; p < end; ++p)
      pool_plane(win, x + p * in, x + planes * in, y + p * out,
                 argmax == nullptr ? nullptr : argmax + p * out);
  });
}

template <class T>
void max_pool2d_backward(const Context& ctx, const Pool2dShape& s, const T* dy,
                         const std::int32_t* argmax, T* dx) {
  const std::int64_t planes = s.n * s.c;
  const std::int64_t in = s.window.h.in * s.window.w.in, out = s.window.h.out * s.window.w.out;
  const std::int64_t bytes = (in + out) * static_cast<std::int64_t>(sizeof(T)) + out * 4;
  const std::int64_t group = planes_per_task(bytes);
  parallel_for(ctx, ceil_div(planes, group), planes * bytes, [=](std::int64_t task, int) {
    const std::int64_t end = smaller(planes, (task + 1) * group);
    for (std::int64_t p = task * group; p < end; ++p) {
      const T* dyp = dy + p * out;
      const std::int32_t* ap = argmax + p * out;
      T* dxp = dx + p * in;
      for_lanes<T>(0, in, [=](auto at) { at.store(dxp, Vec<T>::zero()); });
      for (std::int64_t i = 0; i < out; ++i)
        if (ap[i] >= 0) dxp[ap[i]] += dyp[i];
    }
  });
}

template void max_pool2d_forward(const Context&, const Pool2dShape&, const float*, float*,
                                 std::int32_t*);
template void max_pool2d_forward(const Context&, const Pool2dShape&, const double*, double*,
                                 std::int32_t*);
template void max_pool2d_backward(const Context&, const Pool2dShape&, const float*,
                                  const std::int32_t*, float*);
template void max_pool2d_backward(const Context&, const Pool2dShape&, const double*,
                                  const std::int32_t*, double*);

}  // namespace limulus::cpu::LIMULUS_ISA

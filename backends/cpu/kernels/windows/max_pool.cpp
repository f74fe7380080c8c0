// Max pooling.
//
//   forward    y[n,c,oh,ow] = max over the window's taps inside the image of
//                             x[n, c, oh S - P + fh D, ow S - P + fw D]
//   backward   dx[n, c, argmax] += dy
//
// A plane's maxima, and where they stand, are found by the loops of max_pool_plane.h.
//
// Backward, windows overlap (AlexNet: 3 x 3 windows at stride 2), so two of them may name the same
// element: a plane belongs to one thread, which adds in a fixed order. No atomics.
#include "backends/cpu/kernels/kernels.h"
#include "backends/cpu/kernels/simd/simd_math.h"
#include "backends/cpu/kernels/windows/max_pool_plane.h"

namespace limulus::cpu::LIMULUS_ISA {
namespace {

#ifdef __AVX512F__
// ---- backward, 3 x 3 windows with a stride of 2 ------------------------------------------------
//
// Instead of sending each dy to its element, each element asks the windows that hold it. In a row
// of the image the even elements lie in two windows and the odd ones in one:
//
//     element   0   1   2   3   4   5   6
//     window   [  0      ]
//                      [  1      ]                 element 2m asks windows m - 1 and m,
//                              [  2      ]         element 2m + 1 asks window m
//
// A register holds the windows m, m + 1 ..., another the windows m - 1, m ..., and "is your maximum
// here?" is a comparison of positions. Measured in turns at batch 32 (one core of an AMD EPYC, Zen
// 5, AVX-512): 27 x 27 planes take 0.6 of the time that sending takes, 55 x 55 planes 0.8. With the
// 8 lanes of AVX2, or where the windows of a row fill less than half a register, sending is as
// fast.

// dy and argmax of a register of neighbouring windows. Lanes may hold windows of the row before or
// behind: their maxima are in columns where they are not asked for.
template <class T>
struct WindowGradients {
  Vec<T> dy, at;

  // The windows from index i on of all `count` windows of the array.
  LIMULUS_INLINE WindowGradients(const T* all_dy, const std::int32_t* argmax, std::int64_t i,
                                 std::int64_t count) {
    constexpr int width = Vec<T>::width;
    if (i >= 0 && i + width <= count) {
      dy = Vec<T>::load(all_dy + i);
      load_positions(argmax + i, width, &at);
      return;
    }
    alignas(64) T lane[width] = {};
    alignas(64) std::int32_t position[width];
    for (int l = 0; l < width; ++l) {
      const bool exists = i + l >= 0 && i + l < count;
      lane[l] = exists ? all_dy[i + l] : T(0);
      position[l] = exists ? argmax[i + l] : -1;
    }
    dy = Vec<T>::load(lane);
    load_positions(position, width, &at);
  }
  LIMULUS_INLINE Vec<T> gradient(Vec<T> position) const {
    return select(equal(at, position), dy, Vec<T>::zero());
  }
};

// Elements 2m, 2m + 1 ... of a row. Whole registers run on into the rows behind, which are written
// later (rows from the top, strips from the right), so that only a plane's end needs partial
// stores.
template <class T>
LIMULUS_INLINE void store_pairs(T* p, const T* row_end, const T* plane_end, Vec<T> even,
                                Vec<T> odd) {
  constexpr int width = Vec<T>::width;
  const Vec<T> low = interleave_low(even, odd), high = interleave_high(even, odd);
  if (plane_end - p >= 2 * width) {
    low.store(p);
    if (row_end - p > width) high.store(p + width);
    return;
  }
  low.store_n(p, static_cast<int>(smaller(width, row_end - p)));
  if (row_end - p > width)
    high.store_n(p + width, static_cast<int>(smaller(width, row_end - p - width)));
}

// The columns 2m .. of plane p, for a register of m, row by row as in forward (max_pool_plane.h).
// An even row lies in two rows of windows; what the upper one gives is carried down.
template <class T>
LIMULUS_INLINE void gather_strip(const Window2d& win, std::int64_t p, std::int64_t planes,
                                 std::int64_t m, const T* dy, const std::int32_t* argmax, T* dx) {
  using V = Vec<T>;
  const std::int64_t in = win.w.in, out = win.w.out, windows = win.h.out * out;
  T* to = dx + p * win.h.in * in;
  const T *plane_end = to + win.h.in * in, *row_end = to + in;
  to += 2 * m;
  const auto store_row = [&](V even, V odd) {
    store_pairs(to, row_end, plane_end, even, odd);
    to += in;
    row_end += in;
  };
  alignas(64) T lane[V::width];
  for (int l = 0; l < V::width; ++l) lane[l] = static_cast<T>(2 * (m + l));
  V position = V::load(lane);  // of element 2m in the row at hand
  const V row = V::set(static_cast<T>(in)), next = V::set(1);
  V even = V::zero(), odd = V::zero();  // what the row of windows above gave
  for (std::int64_t oh = 0; oh < win.h.out; ++oh) {
    const std::int64_t i = p * windows + oh * out + m;
    const WindowGradients<T> right(dy, argmax, i, planes * windows);
    const WindowGradients<T> left(dy, argmax, i - 1, planes * windows);
    const auto even_of = [&](V at) { return left.gradient(at) + right.gradient(at); };
    store_row(even + even_of(position), odd + right.gradient(position + next));
    position = position + row;
    store_row(even_of(position), right.gradient(position + next));
    position = position + row;
    even = even_of(position);
    odd = right.gradient(position + next);
  }
  store_row(even, odd);
  if (win.h.in % 2 == 0) store_row(V::zero(), V::zero());
}

template <class T>
LIMULUS_INLINE void gather_plane(const Window2d& win, std::int64_t p, std::int64_t planes,
                                 const T* dy, const std::int32_t* argmax, T* dx) {
  constexpr int width = Vec<T>::width;
  const std::int64_t strips = ceil_div(win.w.in, 2 * width);
  for (std::int64_t strip = strips - 1; strip >= 0; --strip)
    gather_strip(win, p, planes, strip * width, dy, argmax, dx);
}

#endif

// ---- backward, any windows ----------------------------------------------------------------------

// `lost`, a workspace as large as the plane, keeps what additions to an element round away; it is
// null if an element lies in few windows.
template <class T>
LIMULUS_INLINE void scatter_plane(std::int64_t in, std::int64_t out, const T* dy,
                                  const std::int32_t* argmax, T* dx, T* lost) {
  for_lanes<T>(0, in, [=](auto at) { at.store(dx, Vec<T>::zero()); });
  if (lost != nullptr) for_lanes<T>(0, in, [=](auto at) { at.store(lost, Vec<T>::zero()); });
  for (std::int64_t i = 0; i < out; ++i) {
    const std::int32_t at = argmax[i];
    if (at < 0) continue;
    dx[at] = lost == nullptr ? dx[at] + dy[i] : add_compensated(dx[at], dy[i], lost + at);
  }
}

}  // namespace

template <class T>
void max_pool2d_forward(const Context& ctx, const Pool2dShape& s, const T* x, T* y,
                        std::int32_t* argmax) {
  const Window2d win = s.window;
  const std::int64_t planes = s.n * s.c, in = win.h.in * win.w.in, out = win.h.out * win.w.out;
  const std::int64_t item = static_cast<std::int64_t>(sizeof(T));
  const std::int64_t bytes = (in + out) * item + (argmax == nullptr ? 0 : out * 4);
  const PoolPlane<T> pool_plane = pool_plane_for<T>(win, argmax != nullptr);
  for_planes(ctx, planes, bytes, [=](std::int64_t p, int) {
    pool_plane(win, x + p * in, x + planes * in, y + p * out,
               argmax == nullptr ? nullptr : argmax + p * out);
  });
}

template <class T>
void max_pool2d_backward(const Context& ctx, const Pool2dShape& s, const T* dy,
                         const std::int32_t* argmax, T* dx) {
  const Window2d win = s.window;
  const std::int64_t planes = s.n * s.c, in = win.h.in * win.w.in, out = win.h.out * win.w.out;
  const std::int64_t bytes = (in + out) * static_cast<std::int64_t>(sizeof(T)) + out * 4;
#ifdef __AVX512F__
  // Positions must be exact in float, and the windows of a row be several, so that its first and
  // its last have no column in common.
  if (is_pool_three(win) && win.w.out >= Vec<T>::width / 2 && in < 1 << 24)
    return for_planes(ctx, planes, bytes,
                      [=](std::int64_t p, int) { gather_plane(win, p, planes, dy, argmax, dx); });
#endif
  const auto windows_of_element = [](const Window1d& w) {
    return smaller(w.out, ceil_div(w.kernel, w.stride));
  };
  const bool many = windows_of_element(win.h) * windows_of_element(win.w) > 64;
  const std::int64_t per_thread = many ? lines_apart<T>(in) : 0;
  const Scratch scratch(ctx, ctx.threads * per_thread * static_cast<std::int64_t>(sizeof(T)));
  T* all_lost = scratch.template as<T>();
  for_planes(ctx, planes, bytes, [=](std::int64_t p, int thread) {
    scatter_plane(in, out, dy + p * out, argmax + p * out, dx + p * in,
                  many ? all_lost + thread * per_thread : nullptr);
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

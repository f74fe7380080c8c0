// Pooling: each window of a channel becomes one number, its maximum or its mean.
//
//     max:   y[n, c, oh, ow] = max  of x[n, c, ih, iw] over the window
//     mean:  y[n, c, oh, ow] = sum  of x[n, c, ih, iw] over the window / divisor
//
// A window is clipped to the image: padding, and what hangs over the end in ceil mode, is never
// looked at. Channels do not mix, so all functions work on one plane [H, W] at a time.
//
// The gradient of a maximum goes to the element that was chosen, that of a mean to all elements in
// equal parts. AlexNet's windows overlap (3 wide, 2 apart), so an element may collect from several.
#include <cmath>
#include <limits>
#include <vector>

#include "backends/reference/dispatch.h"
#include "backends/reference/reference_backend.h"

namespace limulus {
namespace reference {
namespace {

// Calls visit(ih, iw) for each tap of window (oh, ow) that lies inside the image, in row-major
// order.
template <class Visit>
void for_window(const Window2d& window, std::int64_t oh, std::int64_t ow, Visit visit) {
  const auto& [h, w] = window;
  for (std::int64_t fh = 0; fh < h.kernel; ++fh)
    for (std::int64_t fw = 0; fw < w.kernel; ++fw) {
      const std::int64_t ih = oh * h.stride + fh * h.dilation - h.pad;
      const std::int64_t iw = ow * w.stride + fw * w.dilation - w.pad;
      if (0 <= ih && ih < h.in && 0 <= iw && iw < w.in) visit(ih, iw);
    }
}

// A NaN wins over every number, so that it is seen in the output instead of vanishing there. Among
// equals the first stays.
bool wins(Sum candidate, Sum best) {
  return candidate > best || (std::isnan(candidate) && !std::isnan(best));
}

template <class T>
void max_forward(const Pool2dShape& s, const T* x, T* y, std::int32_t* argmax) {
  const Window1d &h = s.window.h, &w = s.window.w;
  for (std::int64_t nc = 0; nc < s.n * s.c; ++nc)
    for (std::int64_t oh = 0; oh < h.out; ++oh)
      for (std::int64_t ow = 0; ow < w.out; ++ow) {
        const T* plane = x + nc * h.in * w.in;
        T best = -std::numeric_limits<T>::infinity();
        std::int64_t where = -1;
        for_window(s.window, oh, ow, [&](std::int64_t ih, std::int64_t iw) {
          const T candidate = plane[ih * w.in + iw];
          if (where >= 0 && !wins(candidate, best)) return;
          best = candidate;
          where = ih * w.in + iw;
        });
        const std::int64_t out = (nc * h.out + oh) * w.out + ow;
        y[out] = best;
        if (argmax != nullptr)
          argmax[out] = static_cast<std::int32_t>(where);  // -1: a window of padding only
      }
}

template <class T>
void max_backward(const Pool2dShape& s, const T* dy, const std::int32_t* argmax, T* dx) {
  const std::int64_t in = s.window.h.in * s.window.w.in, out = s.window.h.out * s.window.w.out;
  std::vector<Sum> plane(static_cast<std::size_t>(in));  // of dx
  for (std::int64_t nc = 0; nc < s.n * s.c; ++nc) {
    plane.assign(plane.size(), 0);
    for (std::int64_t o = nc * out; o < (nc + 1) * out; ++o)
      if (argmax[o] >= 0) plane[static_cast<std::size_t>(argmax[o])] += dy[o];
    for (const Sum sum : plane) *dx++ = static_cast<T>(sum);
  }
}

// By how many a window's sum is divided: its taps inside the image or, with count_include_pad,
// inside the padded image, which is F*F unless the window hangs over the end in ceil mode.
std::int64_t divisor(const Pool2dShape& s, std::int64_t oh, std::int64_t ow) {
  std::int64_t taps = 0;
  if (!s.count_include_pad) {
    for_window(s.window, oh, ow, [&](std::int64_t, std::int64_t) { ++taps; });
    return taps;
  }
  Window2d padded = s.window;  // the padded image as an image of its own
  for (Window1d* axis : {&padded.h, &padded.w}) {
    axis->in += 2 * axis->pad;
    axis->pad = 0;
  }
  for_window(padded, oh, ow, [&](std::int64_t, std::int64_t) { ++taps; });
  return taps;
}

template <class T>
void avg_forward(const Pool2dShape& s, const T* x, T* y) {
  const Window1d &h = s.window.h, &w = s.window.w;
  for (std::int64_t nc = 0; nc < s.n * s.c; ++nc)
    for (std::int64_t oh = 0; oh < h.out; ++oh)
      for (std::int64_t ow = 0; ow < w.out; ++ow) {
        const T* plane = x + nc * h.in * w.in;
        Sum sum = 0;
        for_window(s.window, oh, ow,
                   [&](std::int64_t ih, std::int64_t iw) { sum += plane[ih * w.in + iw]; });
        *y++ = static_cast<T>(sum / static_cast<Sum>(divisor(s, oh, ow)));
      }
}

template <class T>
void avg_backward(const Pool2dShape& s, const T* dy, T* dx) {
  const Window1d &h = s.window.h, &w = s.window.w;
  std::vector<Sum> plane(static_cast<std::size_t>(h.in * w.in));  // of dx
  const std::int64_t row = w.in;
  for (std::int64_t nc = 0; nc < s.n * s.c; ++nc) {
    plane.assign(plane.size(), 0);
    for (std::int64_t oh = 0; oh < h.out; ++oh)
      for (std::int64_t ow = 0; ow < w.out; ++ow) {
        const Sum share = *dy++ / static_cast<Sum>(divisor(s, oh, ow));
        for_window(s.window, oh, ow, [&](std::int64_t ih, std::int64_t iw) {
          plane[static_cast<std::size_t>(ih * row + iw)] += share;
        });
      }
    for (const Sum sum : plane) *dx++ = static_cast<T>(sum);
  }
}

}  // namespace
}  // namespace reference

void ReferenceBackend::max_pool2d_forward(DType dtype, const Pool2dShape& s, const void* x, void* y,
                                          void* argmax) {
  using namespace reference;
  const auto trace = traced("max_pool2d_forward", s);
  dispatch(dtype, [&]<class T>() { max_forward(s, as<T>(x), as<T>(y), as<std::int32_t>(argmax)); });
}

void ReferenceBackend::max_pool2d_backward(DType dtype, const Pool2dShape& s, const void* dy,
                                           const void* argmax, void* dx) {
  using namespace reference;
  const auto trace = traced("max_pool2d_backward", s);
  dispatch(dtype,
           [&]<class T>() { max_backward(s, as<T>(dy), as<std::int32_t>(argmax), as<T>(dx)); });
}

void ReferenceBackend::avg_pool2d_forward(DType dtype, const Pool2dShape& s, const void* x,
                                          void* y) {
  using namespace reference;
  const auto trace = traced("avg_pool2d_forward", s);
  dispatch(dtype, [&]<class T>() { avg_forward(s, as<T>(x), as<T>(y)); });
}

void ReferenceBackend::avg_pool2d_backward(DType dtype, const Pool2dShape& s, const void* dy,
                                           void* dx) {
  using namespace reference;
  const auto trace = traced("avg_pool2d_backward", s);
  dispatch(dtype, [&]<class T>() { avg_backward(s, as<T>(dy), as<T>(dx)); });
}

}  // namespace limulus

// Local response normalization (Krizhevsky et al. 2012, section 3.3): an element is damped by the
// activity around it, as a cell of the horseshoe crab's eye is by its neighbours.
//
//     y_i = x_i s_i^-beta         s_i = k + alpha * sum of x_j^2 over the window of i
//
// The window has `size` elements, from i - size/2 on (integer division: an even size reaches one
// further to the left), and is clipped. "Across" it runs over the channels at one pixel; "within"
// it is a square of pixels of one channel.
//
// Derivative: x_i enters y_i itself, and through s_j every y_j whose window holds i:
//
//     dx_i = dy_i s_i^-beta - 2 alpha beta x_i * sum over such j of  dy_j s_j^-beta (x_j / s_j)
//
// (Written so, no factor is far larger or smaller than the result: dy_j x_j alone may overflow.)
#include <algorithm>
#include <cmath>
#include <vector>

#include "backends/reference/dispatch.h"
#include "backends/reference/reference_backend.h"

namespace limulus {
namespace reference {
namespace {

struct Range {
  std::int64_t begin, end;
};

// The window of element i on an axis of `limit` elements.
Range window_of(std::int64_t i, std::int64_t size, std::int64_t limit) {
  const std::int64_t first = i - size / 2;
  return {std::max<std::int64_t>(first, 0), std::min(first + size, limit)};
}

// All j whose window holds i: j - size/2 <= i <= j - size/2 + size - 1, solved for j. This is the
// mirrored window; only for an odd size it is the same window.
Range windows_holding(std::int64_t i, std::int64_t size, std::int64_t limit) {
  const std::int64_t last = i + size / 2;
  return {std::max<std::int64_t>(last - size + 1, 0), std::min(last + 1, limit)};
}

// An array [N, C, H, W] and a rule for the neighbours of element (n, c, h, w): calls
// visit(index) for each element of its window or, mirrored, for each one whose window holds it.
struct Across {
  const LrnShape& s;
  template <class Visit>
  void operator()(bool mirrored, std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w,
                  Visit visit) const {
    const auto range = mirrored ? windows_holding : window_of;
    const auto [begin, end] = range(c, s.size, s.c);
    for (std::int64_t cj = begin; cj < end; ++cj) visit(((n * s.c + cj) * s.h + h) * s.w + w);
  }
};

struct Within {
  const LrnShape& s;
  template <class Visit>
  void operator()(bool mirrored, std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w,
                  Visit visit) const {
    const auto range = mirrored ? windows_holding : window_of;
    const auto [top, bottom] = range(h, s.size, s.h);
    const auto [left, right] = range(w, s.size, s.w);
    for (std::int64_t hj = top; hj < bottom; ++hj)
      for (std::int64_t wj = left; wj < right; ++wj) visit(((n * s.c + c) * s.h + hj) * s.w + wj);
  }
};

// Calls visit(i, n, c, h, w) for all elements, i their index.
template <class Visit>
void for_elements(const LrnShape& s, Visit visit) {
  std::int64_t i = 0;
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t c = 0; c < s.c; ++c)
      for (std::int64_t h = 0; h < s.h; ++h)
        for (std::int64_t w = 0; w < s.w; ++w) visit(i++, n, c, h, w);
}

// s_i for all elements.
template <class T, class Neighbours>
std::vector<Sum> scales(const LrnShape& shape, const T* x, Neighbours neighbours) {
  std::vector<Sum> s(static_cast<std::size_t>(shape.n * shape.c * shape.h * shape.w));
  for_elements(shape, [&](std::int64_t i, auto... at) {
    Sum squares = 0;
    neighbours(false, at..., [&](std::int64_t j) { squares += Sum{x[j]} * x[j]; });
    s[static_cast<std::size_t>(i)] = shape.k + shape.alpha * squares;
  });
  return s;
}

template <class T, class Neighbours>
void forward(const LrnShape& shape, const T* x, T* y, Neighbours neighbours) {
  const std::vector<Sum> s = scales(shape, x, neighbours);
  for (std::size_t i = 0; i < s.size(); ++i)
    y[i] = static_cast<T>(x[i] * std::pow(s[i], -shape.beta));
}

template <class T, class Neighbours>
void backward(const LrnShape& shape, const T* x, const T* dy, T* dx, Neighbours neighbours) {
  const std::vector<Sum> s = scales(shape, x, neighbours);
  for_elements(shape, [&](std::int64_t i, auto... at) {
    Sum sum = 0;
    neighbours(true, at..., [&](std::int64_t j) {
      const Sum s_j = s[static_cast<std::size_t>(j)];
      sum += dy[j] * std::pow(s_j, -shape.beta) * (x[j] / s_j);
    });
    const Sum own = dy[i] * std::pow(s[static_cast<std::size_t>(i)], -shape.beta);
    dx[i] = static_cast<T>(own - 2 * shape.alpha * shape.beta * x[i] * sum);
  });
}

}  // namespace
}  // namespace reference

void ReferenceBackend::lrn_across_forward(DType dtype, const LrnShape& s, const void* x, void* y) {
  using namespace reference;
  const auto trace = traced("lrn_across_forward", s);
  dispatch(dtype, [&]<class T>() { forward(s, as<T>(x), as<T>(y), Across{s}); });
}

void ReferenceBackend::lrn_across_backward(DType dtype, const LrnShape& s, const void* x,
                                           const void* dy, void* dx) {
  using namespace reference;
  const auto trace = traced("lrn_across_backward", s);
  dispatch(dtype, [&]<class T>() { backward(s, as<T>(x), as<T>(dy), as<T>(dx), Across{s}); });
}

void ReferenceBackend::lrn_within_forward(DType dtype, const LrnShape& s, const void* x, void* y) {
  using namespace reference;
  const auto trace = traced("lrn_within_forward", s);
  dispatch(dtype, [&]<class T>() { forward(s, as<T>(x), as<T>(y), Within{s}); });
}

void ReferenceBackend::lrn_within_backward(DType dtype, const LrnShape& s, const void* x,
                                           const void* dy, void* dx) {
  using namespace reference;
  const auto trace = traced("lrn_within_backward", s);
  dispatch(dtype, [&]<class T>() { backward(s, as<T>(x), as<T>(dy), as<T>(dx), Within{s}); });
}

}  // namespace limulus

// 2.4 Broadcasting, and its transpose
#include <algorithm>

#include "engine.h"

namespace course {
// BEGIN SOLUTION 2.4 removed
namespace {

std::int64_t count(const Shape& shape) {
  std::int64_t n = 1;
  for (const std::int64_t size : shape) n *= size;
  return n;
}

// Of the value at place `flat` of the large shape: where it is in the small one. The index along an
// axis is counted only where the small shape has more than one value.
std::size_t source_of(std::int64_t flat, const Shape& large, const Shape& small) {
  std::int64_t place = 0, stride = 1;
  for (std::size_t back = 1; back <= large.size(); ++back) {
    const std::int64_t size = large[large.size() - back], index = flat % size;
    flat /= size;
    if (back > small.size()) continue;
    const std::int64_t own = small[small.size() - back];
    if (own > 1) place += index * stride;
    stride *= own;
  }
  return static_cast<std::size_t>(place);
}

}  // namespace
// END SOLUTION

Shape broadcast_shapes(const Shape& a, const Shape& b) {
  // BEGIN SOLUTION 2.4
  Shape out(std::max(a.size(), b.size()));
  for (std::size_t back = 1; back <= out.size(); ++back) {
    const std::int64_t na = back <= a.size() ? a[a.size() - back] : 1;
    const std::int64_t nb = back <= b.size() ? b[b.size() - back] : 1;
    if (na != nb && na != 1 && nb != 1) throw std::invalid_argument("the shapes do not fit");
    out[out.size() - back] = na == 1 ? nb : na;
  }
  return out;
  // END SOLUTION
}

Tensor broadcast_to(const Tensor& x, const Shape& shape) {
  // BEGIN SOLUTION 2.4
  Tensor y{shape, std::vector<double>(static_cast<std::size_t>(count(shape)))};
  for (std::size_t i = 0; i < y.values.size(); ++i)
    y.values[i] = x.values[source_of(static_cast<std::int64_t>(i), shape, x.shape)];
  return y;
  // END SOLUTION
}

Tensor sum_to(const Tensor& dy, const Shape& shape) {
  // BEGIN SOLUTION 2.4
  Tensor dx{shape, std::vector<double>(static_cast<std::size_t>(count(shape)))};
  for (std::size_t i = 0; i < dy.values.size(); ++i)
    dx.values[source_of(static_cast<std::int64_t>(i), dy.shape, shape)] += dy.values[i];
  return dx;
  // END SOLUTION
}

}  // namespace course

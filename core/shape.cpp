#include "core/shape.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "core/error.h"

namespace limulus {

Shape::Shape(std::vector<std::int64_t> sizes) : sizes_(std::move(sizes)) {
  // The product is checked here, once, so that numel() may simply multiply. A size of 0 makes the
  // product 0 whatever the others are, hence the search for one first.
  const bool empty = std::find(sizes_.begin(), sizes_.end(), 0) != sizes_.end();
  std::int64_t product = 1;
  for (const std::int64_t size : sizes_) {
    if (size < 0) {
      throw ShapeError(fmt::format("shape: {} has a negative size {}", str(), size));
    }
    if (empty) continue;
    if (product > std::numeric_limits<std::int64_t>::max() / size) {
      throw ShapeError(fmt::format("shape: {} has more than 2^63 - 1 elements", str()));
    }
    product *= size;
  }
}

std::int64_t Shape::operator[](int axis) const {
  const int index = axis < 0 ? axis + rank() : axis;
  if (index < 0 || index >= rank()) {
    throw ShapeError(fmt::format("shape: {} has rank {} and no axis {}", str(), rank(), axis));
  }
  return sizes_[static_cast<std::size_t>(index)];
}

std::int64_t Shape::numel() const {
  const bool empty = std::find(sizes_.begin(), sizes_.end(), 0) != sizes_.end();
  if (empty) return 0;  // first, because the sizes before the 0 may overflow
  std::int64_t product = 1;
  for (const std::int64_t size : sizes_) product *= size;
  return product;
}

std::string Shape::str() const { return fmt::format("[{}]", fmt::join(sizes_, ", ")); }

std::vector<std::int64_t> index_of(std::int64_t flat, const Shape& shape) {
  std::vector<std::int64_t> index(static_cast<std::size_t>(shape.rank()));
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    index[static_cast<std::size_t>(axis)] = flat % shape[axis];
    flat /= shape[axis];
  }
  return index;
}

std::int64_t flat_of(const std::vector<std::int64_t>& index, const Shape& shape) {
  std::int64_t flat = 0;
  for (int axis = 0; axis < shape.rank(); ++axis)
    flat = flat * shape[axis] + index[static_cast<std::size_t>(axis)];
  return flat;
}

Shape broadcast_shapes(const Shape& a, const Shape& b, const char* op) {
  const int rank = std::max(a.rank(), b.rank());
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(rank));
  for (int axis = 1; axis <= rank; ++axis) {  // from the right
    const std::int64_t size_a = axis <= a.rank() ? a[-axis] : 1;
    const std::int64_t size_b = axis <= b.rank() ? b[-axis] : 1;
    if (size_a != size_b && size_a != 1 && size_b != 1) {
      throw ShapeError(
          fmt::format("{}: shapes {} and {} do not fit together: aligned at the right, axis -{} "
                      "has sizes {} and {}, which differ, and neither is 1",
                      op, a.str(), b.str(), axis, size_a, size_b));
    }
    sizes[static_cast<std::size_t>(rank - axis)] = size_a == 1 ? size_b : size_a;
  }
  return Shape(std::move(sizes));
}

}  // namespace limulus

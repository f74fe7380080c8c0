#include "core/axis.h"

#include <fmt/core.h>

#include "core/checked.h"
#include "core/error.h"

namespace limulus {

int checked_axis(const char* op, const Shape& shape, int axis) {
  const int rank = shape.rank();
  const int a = axis < 0 ? axis + rank : axis;
  if (a < 0 || a >= rank)
    throw ShapeError(fmt::format("{}: axis {} of shape {}, whose axes are {} ... {}", op, axis,
                                 shape.str(), -rank, rank - 1));
  return a;
}

Axis around(const Shape& shape, int axis) {
  Axis a;
  for (int i = 0; i < shape.rank(); ++i) {
    std::int64_t& part = i < axis ? a.outer : i == axis ? a.len : a.inner;
    part = size_product(part, shape[i]);  // of an empty tensor one part may be beyond all counting
  }
  return a;
}

Shape with_size(const Shape& shape, int axis, std::int64_t size) {
  auto sizes = shape.sizes();
  sizes[static_cast<std::size_t>(axis)] = size;
  return Shape(sizes);
}

Shape without(const Shape& shape, int axis) {
  auto sizes = shape.sizes();
  sizes.erase(sizes.begin() + axis);
  return Shape(sizes);
}

}  // namespace limulus

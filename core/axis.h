#pragma once
// A shape seen around one of its axes: [outer, len, inner], the form that reductions, concat and
// narrow work in. For the sources of core/algebra.h.
#include "core/shape.h"

namespace limulus {

struct Axis {
  std::int64_t outer = 1, len = 1, inner = 1;
};

Axis around(const Shape& shape, int axis);
// A negative axis counts from the end; ShapeError, naming `op`, outside of [-rank, rank).
int checked_axis(const char* op, const Shape& shape, int axis);
Shape with_size(const Shape& shape, int axis, std::int64_t size);  // one size replaced
Shape without(const Shape& shape, int axis);                       // one axis left out

}  // namespace limulus

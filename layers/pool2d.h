#pragma once
// What max_pool2d and avg_pool2d share: options and sizes.
#include <optional>

#include "core/backend.h"
#include "core/shape.h"

namespace limulus {

struct Pool2dOptions {
  Size2d kernel = 2;
  std::optional<Size2d> stride = {};  // not given: the kernel, so that windows tile the image
  Size2d pad = 0;
  bool ceil = false;              // Caffe's rounding: a ragged last window is kept (core/window.h)
  bool count_include_pad = true;  // average pooling only
};

// All sizes of a pooling. ShapeError or ValueError, beginning with `op`, where they do not fit.
Pool2dShape pool2d_shape(const Shape& x /* [N, C, H, W] */, const Pool2dOptions& options,
                         const char* op);
// The same for max pooling, which keeps where in its plane each maximum was, as an i32. ShapeError
// where a plane has more places.
Pool2dShape max_pool2d_shape(const Shape& x, const Pool2dOptions& options);

Shape pooled(const Pool2dShape& s);  // [N, C, OH, OW]

}  // namespace limulus

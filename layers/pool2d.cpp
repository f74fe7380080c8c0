#include "layers/pool2d.h"

#include <fmt/core.h>

#include <cstdint>
#include <limits>

#include "core/error.h"

namespace limulus {

Pool2dShape pool2d_shape(const Shape& x, const Pool2dOptions& options, const char* op) {
  if (x.rank() != 4)
    throw ShapeError(fmt::format("{}: the input must be images [N, C, H, W], not {}", op, x.str()));
  const auto& [kernel, stride, pad, ceil, include] = options;
  // With P < F the first window reaches the image, and core/window.h sees to the last one.
  for (const auto& [f, p] : {std::pair{kernel.h, pad.h}, std::pair{kernel.w, pad.w}})
    if (p >= f && p > 0)
      throw ValueError(fmt::format(
          "{}: padding {} must be smaller than the window {}: a window would hold nothing else", op,
          p, f));
  const WindowOptions window{kernel, stride.value_or(kernel), pad, 1, ceil};
  return {x[0], x[1], make_window(x[2], x[3], window, op), include};
}

Pool2dShape max_pool2d_shape(const Shape& x, const Pool2dOptions& options) {
  Pool2dShape s = pool2d_shape(x, options, "max_pool2d");
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
  if (x[2] > 0 && x[3] > most / x[2])
    throw ShapeError(
        fmt::format("max_pool2d: a plane of {} x {} values is too large: the place of a maximum is "
                    "kept as an i32, which reaches to {}; cut the images into parts",
                    x[2], x[3], most));
  return s;
}

Shape pooled(const Pool2dShape& s) { return {s.n, s.c, s.window.h.out, s.window.w.out}; }

}  // namespace limulus

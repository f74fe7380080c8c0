#include "layers/pad2d.h"

#include <fmt/format.h>

#include "core/algebra.h"
#include "core/checked.h"
#include "core/error.h"

namespace limulus {
namespace {

Shape padded(const Shape& x, const Pad2dOptions& o) {
  if (x.rank() != 4)
    throw ShapeError(fmt::format("pad2d: the input must be images [N, C, H, W], not {}", x.str()));
  for (const std::int64_t width : {o.top, o.left, o.bottom, o.right})
    if (width < 0)
      throw ValueError(fmt::format("pad2d: a border of {} is below 0; narrow() cuts", width));
  return {x[0], x[1], size_sum(size_sum(o.top, x[2]), o.bottom),
          size_sum(size_sum(o.left, x[3]), o.right)};
}

// x with so many rows or columns of `value` before and behind it.
Tensor pad_axis(const Tensor& x, int axis, std::int64_t before, std::int64_t behind, double value) {
  const auto border = [&](std::int64_t width) {
    auto sizes = x.shape().sizes();
    sizes[static_cast<std::size_t>(axis)] = width;
    return Tensor::full(Shape(sizes), value, x.dtype(), x.backend());
  };
  std::vector<Tensor> parts;
  if (before > 0) parts.push_back(border(before));
  parts.push_back(x);
  if (behind > 0) parts.push_back(border(behind));
  return parts.size() == 1 ? x : concat(parts, axis);
}

}  // namespace

Tensor pad2d(const Tensor& x, const Pad2dOptions& o) {
  padded(x.shape(), o);
  return pad_axis(pad_axis(x, 2, o.top, o.bottom, o.value), 3, o.left, o.right, o.value);
}

std::vector<WalkStep> Pad2d::walk(const Shape& in) const {
  const auto& [top, left, bottom, right, value] = options;
  const Shape out = padded(in, options);
  WalkStep step = make_step(*this, in, out);
  const auto sum = [](std::int64_t before, std::int64_t size, std::int64_t behind,
                      std::int64_t all) {
    return fmt::format("{} + {} + {} = {}", before, size, behind, all);
  };
  step.formula = sum(top, in[2], bottom, out[2]);
  if (const std::string across = sum(left, in[3], right, out[3]); across != step.formula)
    step.formula += ", " + across;
  step.detail = fmt::format("{:g} around the image", value);
  return {step};
}

}  // namespace limulus

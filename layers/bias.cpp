#include "layers/bias.h"

#include <fmt/format.h>

#include "core/algebra.h"
#include "core/error.h"

namespace limulus {
namespace {

void check_bias(const Shape& x, const Shape& b) {
  if (x.rank() > b.rank() && broadcast_shapes(x, b, "bias") == x) return;
  throw ShapeError(fmt::format(
      "bias: a constant {} cannot be added to each image of {} without stretching the image",
      b.str(), x.str()));
}

}  // namespace

Bias::Bias(const Shape& shape, Backend& backend, DType dtype) {
  bias = add_parameter("bias", new_parameter(shape, dtype, backend));
}

Tensor Bias::forward(const Tensor& x) {
  check_bias(x.shape(), bias.shape());
  return add(x, bias);
}

std::vector<WalkStep> Bias::walk(const Shape& in) const {
  check_bias(in, bias.shape());
  WalkStep step = make_step(*this, in, in);
  step.formula = "as its input";
  step.detail = fmt::format("a constant {} is added", bias.shape().str());
  return {step};
}

}  // namespace limulus

#include "layers/avg_pool2d.h"

#include "core/autograd.h"
#include "layers/walk.h"

namespace limulus {
namespace {

struct AvgPool2dOp : Op {
  explicit AvgPool2dOp(const Pool2dShape& shape) : s(shape) {}
  const char* name() const override { return "avg_pool2d"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    Tensor dx = Tensor::empty(input_shape(0), dy.dtype(), dy.backend());
    dy.backend().avg_pool2d_backward(dy.dtype(), s, dy.data(), dx.mutable_data());
    return {dx};
  }
  Pool2dShape s;
};

}  // namespace

Tensor avg_pool2d(const Tensor& x, const Pool2dOptions& options) {
  check_floating("avg_pool2d", x);
  const Pool2dShape s = pool2d_shape(x.shape(), options, "avg_pool2d");
  Tensor y = Tensor::empty(pooled(s), x.dtype(), x.backend());
  x.backend().avg_pool2d_forward(x.dtype(), s, x.data(), y.mutable_data());
  return record<AvgPool2dOp>(y, {x}, {}, s);
}

std::vector<WalkStep> AvgPool2d::walk(const Shape& in) const {
  const Pool2dShape s = pool2d_shape(in, options, "avg_pool2d");
  WalkStep step = make_step(*this, in, pooled(s));
  step.formula = formula_of(s.window);
  step.window = s.window;
  step.detail = "mean of " + describe_window(s.window);
  return {step};
}

}  // namespace limulus

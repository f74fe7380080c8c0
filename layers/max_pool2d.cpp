#include "layers/max_pool2d.h"

#include "core/autograd.h"
#include "layers/walk.h"

namespace limulus {
namespace {

struct MaxPool2dOp : Op {
  explicit MaxPool2dOp(const Pool2dShape& shape) : s(shape) {}
  const char* name() const override { return "max_pool2d"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    const auto [argmax] = saved<1>();
    Tensor dx = Tensor::empty(input_shape(0), dy.dtype(), dy.backend());
    dy.backend().max_pool2d_backward(dy.dtype(), s, dy.data(), argmax.data(), dx.mutable_data());
    return {dx};
  }
  Pool2dShape s;
};

}  // namespace

Tensor max_pool2d(const Tensor& x, const Pool2dOptions& options) {
  check_floating("max_pool2d", x);
  const Pool2dShape s = max_pool2d_shape(x.shape(), options);
  Tensor y = Tensor::empty(pooled(s), x.dtype(), x.backend());
  Tensor argmax;  // only backward asks for it
  if (must_record({x})) argmax = Tensor::empty(pooled(s), DType::i32, x.backend());
  x.backend().max_pool2d_forward(x.dtype(), s, x.data(), y.mutable_data(),
                                 argmax.defined() ? argmax.mutable_data() : nullptr);
  return record<MaxPool2dOp>(y, {x}, {argmax}, s);
}

std::vector<WalkStep> MaxPool2d::walk(const Shape& in) const {
  const Pool2dShape s = max_pool2d_shape(in, options);
  WalkStep step = make_step(*this, in, pooled(s));
  step.formula = formula_of(s.window);
  step.window = s.window;
  step.detail = "maximum of " + describe_window(s.window);
  return {step};
}

}  // namespace limulus

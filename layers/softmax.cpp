#include "layers/softmax.h"

#include <fmt/core.h>

#include "core/autograd.h"
#include "core/error.h"

namespace limulus {
namespace {

void check_classes(const Shape& x) {
  if (x.rank() < 1 || x[-1] < 1)
    throw ShapeError(fmt::format("softmax: needs [..., C] with C of 1 or more, not {}", x.str()));
}

struct SoftmaxOp : Op {
  const char* name() const override { return "softmax"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    const auto [y] = saved<1>();
    const std::int64_t cols = y.size(-1), rows = y.numel() / cols;
    Tensor dx = Tensor::empty(y.shape(), y.dtype(), y.backend());
    y.backend().softmax_backward(y.dtype(), rows, cols, y.data(), dy.data(), dx.mutable_data());
    return {dx};
  }
};

}  // namespace

Tensor softmax(const Tensor& x) {
  check_floating("softmax", x);
  check_classes(x.shape());
  const std::int64_t cols = x.size(-1), rows = x.numel() / cols;
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.backend());
  x.backend().softmax_forward(x.dtype(), rows, cols, x.data(), y.mutable_data());
  return record<SoftmaxOp>(y, {x}, {y});
}

std::vector<WalkStep> Softmax::walk(const Shape& in) const {
  check_classes(in);
  WalkStep step = make_step(*this, in, in);
  step.formula = "as its input";
  step.detail = fmt::format("{} probabilities", in[-1]);
  return {step};
}

}  // namespace limulus

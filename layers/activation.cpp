#include "layers/activation.h"

#include "core/autograd.h"

namespace limulus {
namespace {

// Where nobody else holds dy, dx takes its place: half the memory, and half the traffic.
Tensor activation_backward(UnaryOp op, const Tensor& y, const Tensor& dy) {
  Tensor dx = dy.unique() ? dy : Tensor::empty(dy.shape(), dy.dtype(), dy.backend());
  dy.backend().unary_backward(dy.dtype(), op, dy.numel(), nullptr, y.data(), dy.data(),
                              dx.mutable_data());
  return dx;
}

struct ActivationOp : Op {
  explicit ActivationOp(UnaryOp o) : op(o) {}
  const char* name() const override { return name_of(op); }
  std::vector<Tensor> backward(const Tensor& dy) override {
    const auto [y] = saved<1>();
    return {activation_backward(op, y, dy)};
  }
  UnaryOp op;
};

Tensor activate(UnaryOp op, const Tensor& x) {
  check_floating(name_of(op), x);
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.backend());
  x.backend().unary(x.dtype(), op, x.numel(), x.data(), y.mutable_data());
  return record<ActivationOp>(y, {x}, {y}, op);
}

}  // namespace

Tensor relu_backward(const Tensor& y, const Tensor& dy) {
  return activation_backward(UnaryOp::relu, y, dy);
}

Tensor relu(const Tensor& x) { return activate(UnaryOp::relu, x); }
Tensor sigmoid(const Tensor& x) { return activate(UnaryOp::sigmoid, x); }
Tensor tanh(const Tensor& x) { return activate(UnaryOp::tanh, x); }

Tensor Activation::forward(const Tensor& x) { return activate(op_, x); }

std::vector<WalkStep> Activation::walk(const Shape& in) const {
  WalkStep step = make_step(*this, in, in);
  step.formula = "as its input";
  step.detail = op_ == UnaryOp::relu      ? "max(0, x)"
                : op_ == UnaryOp::sigmoid ? "1/(1 + exp(-x))"
                                          : "tanh(x)";
  return {step};
}

}  // namespace limulus

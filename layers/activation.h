#pragma once
// Nonlinearities, value by value:
//
//   ReLU     y = max(0, x)           dx = dy where y > 0, else 0        (at x = 0: 0)
//   sigmoid  y = 1/(1 + exp(-x))     dx = dy y (1 - y)
//   tanh     y = tanh(x)             dx = dy (1 - y^2)
//
// All three derivatives can be computed from the result, so only y is kept, which costs nothing:
// the next layer keeps the same y. ReLU does not flatten out on the right, and that made AlexNet
// train several times faster than a tanh network (the paper's section 3.1 and figure 1).
#include "layers/module.h"

namespace limulus {

Tensor relu(const Tensor& x);
Tensor sigmoid(const Tensor& x);
Tensor tanh(const Tensor& x);

// dy where y > 0, else 0: for the layers that end in a ReLU of their own (Module::forward_fused).
// In place where nobody else holds dy.
Tensor relu_backward(const Tensor& y, const Tensor& dy);

class Activation : public Module {
 public:
  Tensor forward(const Tensor& x) override;
  std::vector<WalkStep> walk(const Shape& in) const override;

 protected:
  explicit Activation(UnaryOp op) : op_(op) {}

 private:
  const UnaryOp op_;
};

class ReLU : public Activation {
 public:
  ReLU() : Activation(UnaryOp::relu) {}
  const char* kind() const override { return "ReLU"; }
};

class Sigmoid : public Activation {
 public:
  Sigmoid() : Activation(UnaryOp::sigmoid) {}
  const char* kind() const override { return "Sigmoid"; }
};

class Tanh : public Activation {
 public:
  Tanh() : Activation(UnaryOp::tanh) {}
  const char* kind() const override { return "Tanh"; }
};

}  // namespace limulus

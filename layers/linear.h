#pragma once
// A fully connected layer: every output sees every input.
//
//   y[n, o] = b[o] + sum over i of x[n, i] w[o, i]          y = x w^T + b
//
// Backward:  dx = dy w,   dw = dy^T x,   db[o] = sum over n of dy[n, o].
#include <functional>

#include "core/scoped.h"
#include "layers/module.h"

namespace limulus {

Tensor linear(const Tensor& x,   // [N, in]
              const Tensor& w,   // [out, in]
              const Tensor& b);  // [out], or undefined  -> [N, out]

class Linear : public Module {
 public:
  // Parameters are zero until initialize() (models/initialize.h) or a checkpoint fills them.
  Linear(std::int64_t in_features, std::int64_t out_features, Backend& backend,
         DType dtype = DType::f32, bool with_bias = true);
  const char* kind() const override { return "Linear"; }
  Tensor forward(const Tensor& x) override { return linear(x, weight, bias); }
  Tensor forward_fused(const Tensor& x, const Module& next) override;  // with ReLU
  std::vector<WalkStep> walk(const Shape& in) const override;

  Tensor weight, bias;
};

// The gradient of a weight is a product of two matrices, dw = dy^T x: of AlexNet's fc6, for 32
// images, two of 32 x 4096 and 32 x 9216 numbers instead of 4096 x 9216, a 90th of them. Where
// gradients are sent to other machines, the factors are what should be sent. While one of these
// lives, Linear layers on this thread give their weights and biases no gradient. Backward calls
// `take` instead, for each layer whose input needs a gradient (the others are not affected).
struct LinearFactors {
  Tensor weight, bias;  // the layer's parameters; without a gradient: undefined
  Tensor x;             // [N, in]
  Tensor dy;            // [N, out]
};
class TakeLinearFactors : Scoped<std::function<void(const LinearFactors&)>> {
 public:
  explicit TakeLinearFactors(std::function<void(const LinearFactors&)> take);
};

// dw = dy^T x [out, in], and db [out] = the sum of dy over its rows.
Tensor linear_weight_gradient(const Tensor& x, const Tensor& dy);
Tensor linear_bias_gradient(const Tensor& dy);

// Stores the weights of all Linear layers in `network` as bf16 (core/dtype.h): half the memory, and
// about two thirds of the time of a layer that waits for memory (docs/performance/memory.md), for
// weights with 8 significant bits instead of 24. For inference on the cpu device; the arithmetic
// stays in f32. f32 leaves everything as it is.
void store_linear_weights(Module& network, DType dtype);

}  // namespace limulus

#pragma once
// A fully connected layer: every output sees every input.
//
//   y[n, o] = b[o] + sum over i of x[n, i] w[o, i]          y = x w^T + b
//
// Backward:  dx = dy w,   dw = dy^T x,   db[o] = sum over n of dy[n, o].
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

// Stores the weights of all Linear layers in `network` as bf16 (core/dtype.h): half the memory, and
// about two thirds of the time of a layer that waits for memory (docs/performance/memory.md), for
// weights with 8 significant bits instead of 24. For inference on the cpu device; the arithmetic
// stays in f32. f32 leaves everything as it is.
void store_linear_weights(Module& network, DType dtype);

}  // namespace limulus

#pragma once
// Batch normalization of images (Ioffe and Szegedy 2015): every channel is brought to mean 0 and
// variance 1 over the batch, then scaled and shifted by two learned numbers.
//
//   y = (x - mean) / sqrt(var + eps) * weight + bias      mean, var over n, h, w of each channel
//
// Rows [N, C], of a fully connected layer, are images of one pixel (PyTorch's BatchNorm1d).
//
// It is written with the functions of core/algebra.h alone, so its gradient, which is long when
// written out (mean and var depend on every x), comes from autograd.
//
// In training the batch's own mean and (biased) variance are used, and a running average of both is
// kept: running <- (1 - momentum) running + momentum batch, with the unbiased variance, as PyTorch
// does. In eval mode the running values are used, so that an image's result does not depend on the
// other images.
#include "layers/module.h"

namespace limulus {

struct BatchNormOptions {
  double momentum = 0.1, eps = 1e-5;
};

// The functional form. In training, running_mean and running_var are updated in place; they may
// both be undefined. Without training they are what is used.
Tensor batch_norm2d(const Tensor& x,                           // [N, C, H, W] or [N, C]
                    const Tensor& weight, const Tensor& bias,  // [C] each
                    Tensor running_mean, Tensor running_var,   // [C] each
                    bool training, const BatchNormOptions& options = {});

class BatchNorm2d : public Module {
 public:
  using Options = BatchNormOptions;
  BatchNorm2d(std::int64_t channels, Backend& backend, DType dtype = DType::f32,
              const BatchNormOptions& options = {});
  const char* kind() const override { return "BatchNorm2d"; }
  Tensor forward(const Tensor& x) override {
    return batch_norm2d(x, weight, bias, running_mean, running_var, training(), options);
  }
  std::vector<WalkStep> walk(const Shape& in) const override;

  const BatchNormOptions options;
  Tensor weight, bias;               // learned: 1 and 0 at first
  Tensor running_mean, running_var;  // kept: 0 and 1 at first
};

}  // namespace limulus

#pragma once
// A learned constant that is added to every image of a batch:
//
//   y[n, ...] = x[n, ...] + b[...]         b is stretched where one of its sizes is 1
//
// Convolutions and fully connected layers have a bias of their own; this one stands where none of
// them can take it. It is written with core/algebra.h, so its gradient comes from autograd.
#include "layers/module.h"

namespace limulus {

class Bias : public Module {
 public:
  // `shape` is without the batch: [C, 1, 1] adds a number to each channel.
  Bias(const Shape& shape, Backend& backend, DType dtype = DType::f32);
  const char* kind() const override { return "Bias"; }
  Tensor forward(const Tensor& x) override;
  std::vector<WalkStep> walk(const Shape& in) const override;

  Tensor bias;
};

}  // namespace limulus

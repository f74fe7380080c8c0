#pragma once
// Softmax over the last axis: positive numbers that add up to 1.
//
//   y_c = exp(x_c) / sum over j of exp(x_j)
//
// computed with the largest x taken out first, which changes nothing but keeps exp from
// overflowing. Backward: dx_c = y_c (dy_c - sum over j of dy_j y_j).
//
// For training use cross_entropy (layers/cross_entropy.h) on the values before softmax: the
// logarithm of a probability that was rounded to 0 has no gradient.
#include "layers/module.h"

namespace limulus {

Tensor softmax(const Tensor& x);  // [..., C] -> [..., C]

class Softmax : public Module {
 public:
  const char* kind() const override { return "Softmax"; }
  Tensor forward(const Tensor& x) override { return softmax(x); }
  std::vector<WalkStep> walk(const Shape& in) const override;
};

}  // namespace limulus

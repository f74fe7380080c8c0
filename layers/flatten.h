#pragma once
// Flatten: [N, C, H, W] -> [N, C H W]. The values stay where they are; the function is flatten() in
// core/algebra.h.
#include "core/algebra.h"
#include "layers/module.h"

namespace limulus {

class Flatten : public Module {
 public:
  const char* kind() const override { return "Flatten"; }
  Tensor forward(const Tensor& x) override { return flatten(x, 1); }
  std::vector<WalkStep> walk(const Shape& in) const override;
};

}  // namespace limulus

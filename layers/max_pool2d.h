#pragma once
// Max pooling: each window is replaced by its largest value.
//
//   y[n, c, oh, ow] = max over fh, fw of x[n, c, oh S + fh - P, ow S + fw - P]
//
// Padding is never the maximum. With S < F windows overlap, as in AlexNet (3 with stride 2).
//
// Backward: y depends on the maximum only, so it alone receives dy; of equal maxima the first in
// row-major order. Where windows overlap, one x may be the maximum of several, and their dy add up.
// All that must be remembered is where the maximum was (argmax): neither x nor y.
#include "layers/module.h"
#include "layers/pool2d.h"

namespace limulus {

Tensor max_pool2d(const Tensor& x /* [N, C, H, W] */, const Pool2dOptions& options);

class MaxPool2d : public Module {
 public:
  using Options = Pool2dOptions;
  explicit MaxPool2d(const Pool2dOptions& o) : options(o) {}
  const char* kind() const override { return "MaxPool2d"; }
  Tensor forward(const Tensor& x) override { return max_pool2d(x, options); }
  std::vector<WalkStep> walk(const Shape& in) const override;

  const Pool2dOptions options;
};

}  // namespace limulus

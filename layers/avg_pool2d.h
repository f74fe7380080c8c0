#pragma once
// Average pooling: each window is replaced by its mean.
//
//   y[n, c, oh, ow] = 1/M  sum over fh, fw of x[n, c, oh S + fh - P, ow S + fw - P]
//
// M counts taps. With count_include_pad it is those inside the padded image: FH FW, or fewer for
// the ragged last window of ceil mode, which ends beyond it. Without, only those inside the image.
//
// Backward: every x of a window has the same weight, so each receives dy/M; where windows overlap,
// these add up. Nothing must be remembered.
#include "layers/module.h"
#include "layers/pool2d.h"

namespace limulus {

Tensor avg_pool2d(const Tensor& x /* [N, C, H, W] */, const Pool2dOptions& options);

class AvgPool2d : public Module {
 public:
  using Options = Pool2dOptions;
  explicit AvgPool2d(const Pool2dOptions& o) : options(o) {}
  const char* kind() const override { return "AvgPool2d"; }
  Tensor forward(const Tensor& x) override { return avg_pool2d(x, options); }
  std::vector<WalkStep> walk(const Shape& in) const override;

  const Pool2dOptions options;
};

}  // namespace limulus

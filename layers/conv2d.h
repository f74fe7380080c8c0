#pragma once
// Convolution: every place of the output looks at a window of the input through the same weights.
//
//   y[n, k, oh, ow] = b[k] + sum over c, fh, fw of  x[n, c, oh S + fh D - P, ow S + fw D - P]
//                                                   w[k, c, fh, fw]
//
// with x = 0 outside the image. Its output has floor((H - (D (F - 1) + 1) + 2 P)/S) + 1 rows
// (core/window.h), and columns likewise. With `groups` = g the channels are cut into g blocks, and
// output channels of a block see only the input channels of the same block: AlexNet's two GPUs.
//
// Backward, from dy:
//   dx: each x was multiplied by w wherever a window touched it; those places' dy come back
//       through the same weights: a convolution with w flipped.
//   dw[k, c, fh, fw] = sum over n, oh, ow of  dy[n, k, oh, ow] x[n, c, oh S + fh D - P, ...]
//   db[k]            = sum over n, oh, ow of  dy[n, k, oh, ow]
#include "layers/module.h"
#include "layers/packed_weight.h"

namespace limulus {

struct Conv2dOptions {
  Size2d kernel = 1;  // F: of a Conv2d module; conv2d() reads it from its weight
  Size2d stride = 1, pad = 0, dilation = 1;
  std::int64_t groups = 1;
  bool bias = true;  // of a Conv2d module; conv2d() has none when b is undefined
};

// All sizes of a convolution. ShapeError or ValueError where x and w do not fit together.
Conv2dShape conv2d_shape(const Shape& x,  // [N, C, H, W]
                         const Shape& w,  // [K, C/groups, FH, FW]
                         const Conv2dOptions& options);

// The arithmetic of a convolution with a weight of this shape, which need not exist. Its name is
// "".
WalkStep conv2d_step(const Shape& x, const Shape& w, const Conv2dOptions& options);

Tensor conv2d(const Tensor& x,                     // [N, C, H, W]
              const Tensor& w,                     // [K, C/groups, FH, FW]
              const Tensor& b,                     // [K], or undefined
              const Conv2dOptions& options = {});  // -> [N, K, OH, OW]

class Conv2d : public Module {
 public:
  using Options = Conv2dOptions;
  // Parameters are zero until initialize() (models/initialize.h) or a checkpoint fills them.
  Conv2d(std::int64_t in_channels, std::int64_t out_channels, const Conv2dOptions& options,
         Backend& backend, DType dtype = DType::f32);
  const char* kind() const override { return "Conv2d"; }
  Tensor forward(const Tensor& x) override { return forward_with(x, false); }
  Tensor forward_fused(const Tensor& x, const Module& next) override;  // with ReLU
  std::vector<WalkStep> walk(const Shape& in) const override;

  const Conv2dOptions options;
  Tensor weight, bias;

 private:
  Tensor forward_with(const Tensor& x, bool relu);
  PackedWeight packed_;
};

}  // namespace limulus

#pragma once
// Local response normalization (Krizhevsky, Sutskever, Hinton 2012, section 3.3): each value is
// divided by a measure of how strongly its neighbours respond. In the eye of the horseshoe crab,
// too, a lit receptor damps the ones beside it.
//
//   y_i = x_i / (k + a sum of x_j^2 over the window of i)^beta
//
// The window of `size` = n values is centred on i and clipped at the ends: over channels at one
// place (across, the paper's), or over n x n places of one channel (within).
//
// Frameworks disagree on a: the paper uses alpha itself, while Caffe, PyTorch and ONNX divide it by
// the number of values in the (unclipped) window. `convention` says which is meant.
//
// Backward: x_i affects its own result, and the divisor of every j whose window contains i:
//
//   dx_i = dy_i s_i^-beta - 2 a beta x_i  sum over those j of  dy_j x_j s_j^(-beta - 1)
//
// with s = k + a sum x^2, computed again from x, the only tensor that is kept.
#include "layers/module.h"

namespace limulus {

enum class AlphaConvention {
  paper,       // a = alpha
  per_element  // a = alpha / n across channels, alpha / n^2 within a channel
};
enum class LrnRegion { across_channels, within_channel };

struct LrnOptions {  // the paper's numbers
  std::int64_t size = 5;
  double alpha = 1e-4, beta = 0.75, k = 2;
  AlphaConvention convention = AlphaConvention::paper;
  LrnRegion region = LrnRegion::across_channels;
};

// Sizes and factors as a kernel uses them; ShapeError or ValueError where they make no sense.
LrnShape lrn_shape(const Shape& x /* [N, C, H, W] */, const LrnOptions& options);

Tensor local_response_norm(const Tensor& x /* [N, C, H, W] */, const LrnOptions& options = {});

class LocalResponseNorm : public Module {
 public:
  using Options = LrnOptions;
  explicit LocalResponseNorm(const LrnOptions& o = {}) : options(o) {}
  const char* kind() const override { return "LocalResponseNorm"; }
  Tensor forward(const Tensor& x) override { return local_response_norm(x, options); }
  Tensor forward_fused(const Tensor& x, const Module& next) override;  // across, with MaxPool2d
  std::vector<WalkStep> walk(const Shape& in) const override;

  const LrnOptions options;
};

}  // namespace limulus

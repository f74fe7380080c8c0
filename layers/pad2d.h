#pragma once
// Padding as a step of its own, for borders of different widths: of those that go with a
// convolution or a pool, both ends of an axis have the same.
//
//   y[n, c, top + h, left + w] = x[n, c, h, w],   `value` everywhere else
//
// Backward: dx is the part of dy where x was. It is written with the functions of core/algebra.h
// alone, so that comes from autograd.
#include "layers/module.h"

namespace limulus {

struct Pad2dOptions {
  std::int64_t top = 0, left = 0, bottom = 0, right = 0;
  double value = 0;  // before a max pooling: minus infinity, which is never the maximum
  bool operator==(const Pad2dOptions&) const = default;
};

Tensor pad2d(const Tensor& x /* [N, C, H, W] */, const Pad2dOptions& options);

class Pad2d : public Module {
 public:
  using Options = Pad2dOptions;
  explicit Pad2d(const Pad2dOptions& o) : options(o) {}
  const char* kind() const override { return "Pad2d"; }
  Tensor forward(const Tensor& x) override { return pad2d(x, options); }
  std::vector<WalkStep> walk(const Shape& in) const override;

  const Pad2dOptions options;
};

}  // namespace limulus

#include "layers/local_response_norm.h"

#include <fmt/core.h>

#include "core/autograd.h"
#include "core/error.h"
#include "layers/max_pool2d.h"

namespace limulus {
namespace {

struct LrnOp : Op {
  LrnOp(const LrnShape& shape, LrnRegion r) : s(shape), region(r) {}
  const char* name() const override { return "local_response_norm"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    const auto [x] = saved<1>();
    Tensor dx = Tensor::empty(x.shape(), x.dtype(), x.backend());
    if (region == LrnRegion::across_channels)
      x.backend().lrn_across_backward(x.dtype(), s, x.data(), dy.data(), dx.mutable_data());
    else
      x.backend().lrn_within_backward(x.dtype(), s, x.data(), dy.data(), dx.mutable_data());
    return {dx};
  }
  LrnShape s;
  LrnRegion region;
};

// The maximum over windows of the normalized image, which is not stored: backward needs x, and
// where the maxima stood.
struct LrnMaxPoolOp : Op {
  LrnMaxPoolOp(const LrnShape& shape, const Pool2dShape& p) : s(shape), pool(p) {}
  const char* name() const override { return "local_response_norm+max_pool2d"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    const auto [x, argmax] = saved<2>();
    Backend& backend = x.backend();
    Tensor normalized = Tensor::empty(x.shape(), x.dtype(), backend);  // its gradient
    backend.max_pool2d_backward(x.dtype(), pool, dy.data(), argmax.data(),
                                normalized.mutable_data());
    Tensor dx = Tensor::empty(x.shape(), x.dtype(), backend);
    backend.lrn_across_backward(x.dtype(), s, x.data(), normalized.data(), dx.mutable_data());
    return {dx};
  }
  LrnShape s;
  Pool2dShape pool;
};

}  // namespace

LrnShape lrn_shape(const Shape& x, const LrnOptions& o) {
  if (x.rank() != 4)
    throw ShapeError(
        fmt::format("local_response_norm: the input must be images [N, C, H, W], not {}", x.str()));
  if (o.size < 1)
    throw ValueError(fmt::format("local_response_norm: size {} must be 1 or more", o.size));
  // They keep s = k + a sum x^2 above zero; !(>) also refuses NaN.
  if (!(o.k > 0) || !(o.alpha >= 0))
    throw ValueError(fmt::format(
        "local_response_norm: k {} must be above 0 and alpha {} not below: k + alpha * sum would "
        "divide by 0 where all values are 0, or be negative",
        o.k, o.alpha));
  const bool across = o.region == LrnRegion::across_channels;
  const auto window = static_cast<double>(across ? o.size : o.size * o.size);
  const double a = o.convention == AlphaConvention::paper ? o.alpha : o.alpha / window;
  return {x[0], x[1], x[2], x[3], o.size, a, o.beta, o.k};
}

Tensor local_response_norm(const Tensor& x, const LrnOptions& options) {
  check_floating("local_response_norm", x);
  const LrnShape s = lrn_shape(x.shape(), options);
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.backend());
  if (options.region == LrnRegion::across_channels)
    x.backend().lrn_across_forward(x.dtype(), s, x.data(), y.mutable_data());
  else
    x.backend().lrn_within_forward(x.dtype(), s, x.data(), y.mutable_data());
  return record<LrnOp>(y, {x}, {x}, s, options.region);
}

Tensor LocalResponseNorm::forward_fused(const Tensor& x, const Module& next) {
  const auto* max_pool = dynamic_cast<const MaxPool2d*>(&next);
  if (max_pool == nullptr || options.region != LrnRegion::across_channels) return {};
  check_floating("local_response_norm", x);
  const LrnShape s = lrn_shape(x.shape(), options);
  const Pool2dShape pool = pool2d_shape(x.shape(), max_pool->options, "max_pool2d");
  Tensor y = Tensor::empty(pooled(pool), x.dtype(), x.backend());
  Tensor argmax;  // only backward asks for it
  if (must_record({x})) argmax = Tensor::empty(pooled(pool), DType::i32, x.backend());
  x.backend().lrn_across_max_pool2d_forward(x.dtype(), s, pool, x.data(), y.mutable_data(),
                                            argmax.defined() ? argmax.mutable_data() : nullptr);
  return record<LrnMaxPoolOp>(y, {x}, {x, argmax}, s, pool);
}

std::vector<WalkStep> LocalResponseNorm::walk(const Shape& in) const {
  lrn_shape(in, options);
  WalkStep step = make_step(*this, in, in);
  step.formula = "as its input";
  const bool across = options.region == LrnRegion::across_channels;
  step.detail = fmt::format("x / ({} + {} * sum of x^2 over {})^{}", options.k,
                            options.convention == AlphaConvention::paper
                                ? fmt::format("{}", options.alpha)
                                : fmt::format("{}/{}", options.alpha,
                                              across ? options.size : options.size * options.size),
                            across ? fmt::format("{} channels", options.size)
                                   : fmt::format("{}x{} places", options.size, options.size),
                            options.beta);
  return {step};
}

}  // namespace limulus

#include "layers/batch_norm2d.h"

#include <fmt/core.h>

#include "core/algebra.h"
#include "core/autograd.h"
#include "core/checked.h"
#include "core/error.h"

namespace limulus {
namespace {

void check_channels(const Shape& x, const Shape& per_channel, const char* what) {
  if (x.rank() != 4 && x.rank() != 2)
    throw ShapeError(fmt::format(
        "batch_norm2d: the input must be images [N, C, H, W] or rows [N, C], not {}", x.str()));
  if (per_channel != Shape{x[1]})
    throw ShapeError(fmt::format("batch_norm2d: input has {} channels but {} is {}", x[1], what,
                                 per_channel.str()));
}

// running <- (1 - momentum) running + momentum batch
void update(Tensor& running, const Tensor& batch, double momentum) {
  running.copy_(running * (1 - momentum) + reshape(batch, running.shape()) * momentum);
}

}  // namespace

Tensor batch_norm2d(const Tensor& x, const Tensor& weight, const Tensor& bias, Tensor running_mean,
                    Tensor running_var, bool training, const BatchNormOptions& options) {
  check_same_place("batch_norm2d", x, weight);
  check_channels(x.shape(), weight.shape(), "the weight");
  check_channels(x.shape(), bias.shape(), "the bias");
  if (running_mean.defined()) check_channels(x.shape(), running_mean.shape(), "running_mean");
  if (running_var.defined()) check_channels(x.shape(), running_var.shape(), "running_var");

  const std::int64_t n = x.size(0), c = x.size(1),
                     places = x.shape().rank() == 4 ? x.size(2) * x.size(3) : 1;
  const Shape channel = {c, 1};  // broadcast over [N, C, H*W]
  const Tensor v = reshape(x, Shape{n, c, places});
  const Tensor w = reshape(weight, channel), b = reshape(bias, channel);

  if (!training) {
    const Tensor scale = w / sqrt(reshape(running_var, channel) + options.eps);
    return reshape(v * scale + (b - reshape(running_mean, channel) * scale), x.shape());
  }

  const std::int64_t values = n * places;
  if (values < 2)
    throw ValueError(fmt::format(
        "batch_norm2d: {} value a channel has no variance (input {}): train with a larger batch, "
        "or use eval()",
        values, x.shape().str()));
  const auto over_batch = [](const Tensor& t) { return mean(mean(t, 2, true), 0, true); };
  const Tensor batch_mean = over_batch(v);  // [1, C, 1]
  const Tensor centred = v - batch_mean;
  const Tensor batch_var = over_batch(square(centred));
  const Tensor y = centred * (w / sqrt(batch_var + options.eps)) + b;

  if (running_mean.defined() && running_var.defined()) {
    const NoGrad keeping_statistics;
    const auto count = static_cast<double>(values);
    update(running_mean, batch_mean, options.momentum);
    update(running_var, batch_var * (count / (count - 1)), options.momentum);
  }
  return reshape(y, x.shape());
}

BatchNorm2d::BatchNorm2d(std::int64_t channels, Backend& backend, DType dtype,
                         const BatchNormOptions& o)
    : options(o) {
  weight = add_parameter("weight", Tensor::full({channels}, 1, dtype, backend));
  bias = add_parameter("bias", Tensor::zeros({channels}, dtype, backend));
  running_mean = add_buffer("running_mean", Tensor::zeros({channels}, dtype, backend));
  running_var = add_buffer("running_var", Tensor::full({channels}, 1, dtype, backend));
}

std::vector<WalkStep> BatchNorm2d::walk(const Shape& in) const {
  check_channels(in, weight.shape(), "the weight");
  WalkStep step = make_step(*this, in, in);
  step.formula = "as its input";
  step.detail = fmt::format("{} channels to mean 0, variance 1, then scaled and shifted", in[1]);
  const std::int64_t places = in.rank() == 4 ? size_product(in[2], in[3]) : 1;
  step.connections = size_product(step.parameters, places);
  return {step};
}

}  // namespace limulus

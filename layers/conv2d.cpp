#include "layers/conv2d.h"

#include <fmt/core.h>

#include "core/autograd.h"
#include "core/checked.h"
#include "core/error.h"
#include "layers/activation.h"
#include "layers/walk.h"

namespace limulus {
namespace {

void check_channels(std::int64_t in, std::int64_t out) {
  if (in < 1 || out < 1)
    throw ValueError(fmt::format(
        "conv2d: {} input and {} output channels: there must be 1 or more of each", in, out));
}

void check_groups(std::int64_t c, std::int64_t k, std::int64_t groups) {
  if (groups < 1) throw ValueError(fmt::format("conv2d: groups {} must be 1 or more", groups));
  for (const auto& [name, channels] : {std::pair{"input", c}, std::pair{"output", k}})
    if (channels % groups != 0)
      throw ShapeError(fmt::format(
          "conv2d: {} {} channels cannot be cut into {} groups: {} = {} * {} + {}", channels, name,
          groups, channels, groups, channels / groups, channels % groups));
}

// y = conv(x, w) + b, or the ReLU of that: then y is saved too, as its zeros are where dy stops.
struct Conv2dOp : Op {
  explicit Conv2dOp(const Conv2dShape& shape) : s(shape) {}
  const char* name() const override { return "conv2d"; }

  // The first layer's x is the image and needs no gradient: a third of its work is never done.
  std::vector<Tensor> backward(const Tensor& above) override {
    const auto [x, w, y] = saved<3>();
    const Tensor dy = s.relu ? relu_backward(y, above) : above;
    Backend& backend = dy.backend();
    std::vector<Tensor> d(input_count());
    const auto gradient = [&](std::size_t i) {
      return d[i] = Tensor::empty(input_shape(i), dy.dtype(), backend);
    };
    if (needs(0))
      backend.conv2d_backward_input(dy.dtype(), s, dy.data(), w.data(), gradient(0).mutable_data());
    if (needs(1))
      backend.conv2d_backward_weight(dy.dtype(), s, x.data(), dy.data(),
                                     gradient(1).mutable_data());
    if (input_count() == 3 && needs(2))
      backend.conv2d_backward_bias(dy.dtype(), s, dy.data(), gradient(2).mutable_data());
    return d;
  }
  Conv2dShape s;
};

}  // namespace

Conv2dShape conv2d_shape(const Shape& x, const Shape& w, const Conv2dOptions& options) {
  if (x.rank() != 4)
    throw ShapeError(fmt::format("conv2d: the input must be images [N, C, H, W], not {}", x.str()));
  if (w.rank() != 4)
    throw ShapeError(
        fmt::format("conv2d: the weight must be [K, C/groups, FH, FW], not {}", w.str()));
  const std::int64_t c = x[1], k = w[0], groups = options.groups;
  check_groups(c, k, groups);
  const std::int64_t expected = size_product(w[1], groups);
  if (c != expected)
    throw ShapeError(
        fmt::format("conv2d: input has {} channels but the weight {} expects {}", c, w.str(),
                    groups == 1 ? std::to_string(w[1])
                                : fmt::format("{} * {} groups = {}", w[1], groups, expected)));
  const WindowOptions window{{w[2], w[3]}, options.stride, options.pad, options.dilation, false};
  return {x[0], c, k, groups, make_window(x[2], x[3], window, "conv2d")};
}

namespace {

// `packed`, if given, holds w as the kernel reads it.
Tensor convolve(Conv2dShape s, const Tensor& x, const Tensor& w, const Tensor& b,
                const Storage* packed) {
  if (b.defined()) {
    check_same_place("conv2d", x, b);
    if (b.shape() != Shape{s.k})
      throw ShapeError(fmt::format("conv2d: the bias is {} but {} output channels need [{}]",
                                   b.shape().str(), s.k, s.k));
  }
  Tensor y = Tensor::empty({s.n, s.k, s.window.h.out, s.window.w.out}, x.dtype(), x.backend());
  s.packed = packed != nullptr;
  x.backend().conv2d_forward(x.dtype(), s, x.data(), packed ? packed->data : w.data(),
                             b.defined() ? b.data() : nullptr, y.mutable_data());
  std::vector<Tensor> inputs = {x, w};
  if (b.defined()) inputs.push_back(b);
  return record<Conv2dOp>(
      y, inputs,
      {w.requires_grad() ? x : Tensor(), x.requires_grad() ? w : Tensor(), s.relu ? y : Tensor()},
      s);
}

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& b, const Conv2dOptions& options) {
  check_same_place("conv2d", x, w);
  return convolve(conv2d_shape(x.shape(), w.shape(), options), x, w, b, nullptr);
}

Conv2d::Conv2d(std::int64_t in_channels, std::int64_t out_channels, const Conv2dOptions& o,
               Backend& backend, DType dtype)
    : options(o) {
  check_channels(in_channels, out_channels);
  check_groups(in_channels, out_channels, options.groups);
  weight = add_parameter("weight", new_parameter({out_channels, in_channels / options.groups,
                                                  options.kernel.h, options.kernel.w},
                                                 dtype, backend));
  if (options.bias) bias = add_parameter("bias", new_parameter({out_channels}, dtype, backend));
}

Tensor Conv2d::forward_with(const Tensor& x, bool relu) {
  check_same_place("conv2d", x, weight);
  Conv2dShape s = conv2d_shape(x.shape(), weight.shape(), options);
  s.relu = relu;
  const auto packed = packed_.of(weight, s);
  return convolve(s, x, weight, bias, packed.get());
}

Tensor Conv2d::forward_fused(const Tensor& x, const Module& next) {
  if (dynamic_cast<const ReLU*>(&next) == nullptr || !x.backend().conv2d_fuses_relu()) return {};
  return forward_with(x, true);
}

WalkStep conv2d_step(const Shape& x, const Shape& w, const Conv2dOptions& options) {
  if (x.rank() == 4 && w.rank() == 4) check_channels(x[1], w[0]);
  const Conv2dShape s = conv2d_shape(x, w, options);
  const std::int64_t places = size_product(s.window.h.out, s.window.w.out);
  WalkStep step;
  step.kind = "Conv2d";
  step.formula = formula_of(s.window);
  step.detail = fmt::format("{} filters of {}x{}", s.k, w[1], describe_window(s.window));
  if (s.groups > 1) step.detail += fmt::format(", {} groups", s.groups);
  step.in = x;
  step.out = {s.n, s.k, s.window.h.out, s.window.w.out};
  step.window = s.window;
  step.groups = s.groups;
  step.parameters = size_sum(w.numel(), options.bias ? s.k : 0);
  step.connections = size_product(step.parameters, places);
  step.multiply_adds = size_product(w.numel(), places);
  step.memory = size_product(step.out.numel(), static_cast<std::int64_t>(size_of(DType::f32)));
  return step;
}

std::vector<WalkStep> Conv2d::walk(const Shape& in) const {
  return {conv2d_step(in, weight.shape(), options)};
}

}  // namespace limulus

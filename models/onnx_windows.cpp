// ONNX's operators with windows: convolutions, pools, borders.
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

#include "core/checked.h"
#include "layers/avg_pool2d.h"
#include "layers/conv2d.h"
#include "layers/flatten.h"
#include "layers/max_pool2d.h"
#include "layers/pad2d.h"
#include "models/onnx_operator.h"

namespace limulus {
namespace {

struct Window {
  Size2d kernel = 1, stride = 1, dilation = 1;
  std::int64_t top = 0, left = 0, bottom = 0, right = 0;
  bool even_border() const { return top == bottom && left == right; }
};

// Two numbers, for height and width.
Size2d two(OnnxOperator& o, const std::string& name, Size2d otherwise, std::int64_t least) {
  const auto values = o.n.integers(name);
  if (!values) return otherwise;
  if (values->size() != 2)
    throw o.n.error(name,
                    "two numbers are expected, for height and width: other numbers of axes "
                    "are not read");
  for (const std::int64_t v : *values)
    if (v < least) throw o.n.error(name, fmt::format("a number is below {}", least));
  return {(*values)[0], (*values)[1]};
}

// What auto_pad SAME adds to an axis, before and behind: so much that the output is
// ceil(in/stride).
std::pair<std::int64_t, std::int64_t> same_border(std::int64_t in, std::int64_t kernel,
                                                  std::int64_t stride, std::int64_t dilation,
                                                  bool more_behind) {
  const std::int64_t out = in / stride + (in % stride != 0 ? 1 : 0);
  const std::int64_t covered = size_sum(size_product(std::max<std::int64_t>(out - 1, 0), stride),
                                        size_sum(size_product(dilation, kernel - 1), 1));
  const std::int64_t all = std::max<std::int64_t>(covered - in, 0), less = all / 2;
  return more_behind ? std::pair{less, all - less} : std::pair{all - less, less};
}

Window window_of(OnnxOperator& o, std::optional<Size2d> kernel) {
  Window w;
  o.images();
  w.kernel = two(o, "kernel_shape", kernel.value_or(1), 1);
  if (!kernel && o.n.attribute("kernel_shape") == nullptr)
    throw o.n.error("kernel_shape", "it is missing");
  if (kernel && !(w.kernel == *kernel))
    throw o.n.error("kernel_shape",
                    fmt::format("the weight's window is {} x {}", kernel->h, kernel->w));
  w.stride = two(o, "strides", 1, 1);
  w.dilation = two(o, "dilations", 1, 1);
  const std::string how = o.n.text("auto_pad", "NOTSET");
  const auto pads = o.n.integers("pads");
  if (how == "SAME_UPPER" || how == "SAME_LOWER") {
    const bool behind = how == "SAME_UPPER";
    std::tie(w.top, w.bottom) = same_border(o.in[2], w.kernel.h, w.stride.h, w.dilation.h, behind);
    std::tie(w.left, w.right) = same_border(o.in[3], w.kernel.w, w.stride.w, w.dilation.w, behind);
  } else if (how == "NOTSET") {
    if (pads) {
      if (pads->size() != 4) throw o.n.error("pads", "four numbers are expected");
      for (const std::int64_t p : *pads)
        if (p < 0) throw o.n.error("pads", "a border below 0 cuts the image; export without");
      w.top = (*pads)[0], w.left = (*pads)[1], w.bottom = (*pads)[2], w.right = (*pads)[3];
    }
  } else if (how != "VALID") {
    throw o.n.error("auto_pad", "it is none of NOTSET, VALID, SAME_UPPER, SAME_LOWER");
  }
  return w;
}

// A border that the layer itself cannot have becomes a step before it.
void take_border(Window& w, double value, OnnxLayers& layers) {
  layers.push_back(
      {"", std::make_shared<Pad2d>(Pad2dOptions{w.top, w.left, w.bottom, w.right, value})});
  w.top = w.left = w.bottom = w.right = 0;
}

// Whether a pool with the border of the beginning at both ends, rounding its size down or up, has
// the same windows. Where it takes no pixel outside of the image into account, it is then the same
// pool: a border of 0 before and 1 behind is how "round up" is often written.
std::optional<bool> as_rounding(const OnnxOperator& o, const Window& w) {
  if (w.top >= w.kernel.h || w.left >= w.kernel.w) return std::nullopt;
  const auto fits = [](std::int64_t in, std::int64_t kernel, std::int64_t stride,
                       std::int64_t before, std::int64_t behind, bool ceil) {
    const std::int64_t padded = size_sum(size_sum(in, before), behind);
    return padded >= kernel && before <= in + kernel &&
           Window1d::make(in, kernel, stride, before, 1, ceil, "pool", "axis").out ==
               (padded - kernel) / stride + 1;
  };
  for (const bool ceil : {false, true}) {
    try {
      if (fits(o.in[2], w.kernel.h, w.stride.h, w.top, w.bottom, ceil) &&
          fits(o.in[3], w.kernel.w, w.stride.w, w.left, w.right, ceil))
        return ceil;
    } catch (const ShapeError&) {  // not even one window
    }
  }
  return std::nullopt;
}

FileError uneven_and_ragged(OnnxOperator& o) {
  return o.n.error("ceil_mode",
                   "a border that differs at both ends and a ragged last window do not go together "
                   "here; export with ceil_mode=False");
}

template <class Pool>
OnnxLayers global_pool(OnnxOperator& o) {
  o.inputs(1, 1);
  o.images();
  return {{"", std::make_shared<Pool>(Pool2dOptions{.kernel = {o.in[2], o.in[3]}})}};
}

}  // namespace

OnnxLayers onnx_global_average_pool(OnnxOperator& o) { return global_pool<AvgPool2d>(o); }
OnnxLayers onnx_global_max_pool(OnnxOperator& o) { return global_pool<MaxPool2d>(o); }

OnnxLayers onnx_conv(OnnxOperator& o) {
  o.inputs(2, 3);
  const OnnxTensor& weight = o.weights(1, "weight");
  if (weight.shape.size() != 4)
    throw o.n.error(
        fmt::format("its weight has {} axes, and 4 are expected: convolutions of images "
                    "[N, C, H, W]",
                    weight.shape.size()));
  for (const std::int64_t size : weight.shape)
    if (size < 1) throw o.n.error("its weight has a size of 0");
  const std::int64_t groups = o.n.integer("group", 1);
  if (groups < 1) throw o.n.error("group", "it must be 1 or more");
  Window w = window_of(o, Size2d(weight.shape[2], weight.shape[3]));
  OnnxLayers layers;
  if (!w.even_border()) take_border(w, 0, layers);
  const bool bias = o.has_input(2);
  auto layer = std::make_shared<Conv2d>(size_product(weight.shape[1], groups), weight.shape[0],
                                        Conv2dOptions{.kernel = w.kernel,
                                                      .stride = w.stride,
                                                      .pad = {w.top, w.left},
                                                      .dilation = w.dilation,
                                                      .groups = groups,
                                                      .bias = bias},
                                        o.context.backend, o.context.dtype);
  set_values(layer->weight, weight.floats);
  if (bias) {
    const OnnxTensor& b = o.weights(2, "bias");
    if (b.shape != std::vector<std::int64_t>{weight.shape[0]})
      throw o.n.error(fmt::format("its bias is [{}], and {} filters need [{}]",
                                  fmt::join(b.shape, ", "), weight.shape[0], weight.shape[0]));
    set_values(layer->bias, b.floats);
  }
  layers.push_back({layer_named_by(o.input_name(1)), layer});
  return layers;
}

namespace {

// What the pixels of a border are to a pool.
enum class Border {
  never_largest,  // of a maximum: minus infinity
  left_out,       // of a mean, whose divisor does not count them
  zeros           // of a mean, whose divisor counts them
};

// The window of a pool. A border that the pool itself cannot have becomes another rounding of its
// size, where the border adds nothing to what is computed, or else a layer before it.
Pool2dOptions pool_of(OnnxOperator& o, Border border, OnnxLayers& layers) {
  bool ceil = o.n.flag("ceil_mode", false);
  Window w = window_of(o, std::nullopt);
  if (!(w.dilation == Size2d(1)))
    throw o.n.error("dilations", "windows of pools have no gaps here; export with dilation=1");
  const bool plain = w.even_border() && w.top < w.kernel.h && w.left < w.kernel.w;
  const bool rounds = !plain && !ceil && border != Border::zeros;
  if (const auto rounding = rounds ? as_rounding(o, w) : std::nullopt) {
    ceil = *rounding;
  } else if (!plain) {
    if (ceil) throw uneven_and_ragged(o);
    if (border == Border::left_out)
      throw o.n.error("count_include_pad",
                      fmt::format("means without the border's zeros are computed only if both ends "
                                  "of an axis have the same border, and here it is {}, {}, {}, {}; "
                                  "export with count_include_pad=True or such padding",
                                  w.top, w.left, w.bottom, w.right));
    take_border(w, border == Border::zeros ? 0 : -std::numeric_limits<double>::infinity(), layers);
  }
  return {.kernel = w.kernel, .stride = w.stride, .pad = {w.top, w.left}, .ceil = ceil};
}

}  // namespace

OnnxLayers onnx_max_pool(OnnxOperator& o) {
  o.inputs(1, 1);
  o.n.integer("storage_order", 0);  // of the second output
  OnnxLayers layers;
  const Pool2dOptions options = pool_of(o, Border::never_largest, layers);
  layers.push_back({"", std::make_shared<MaxPool2d>(options)});
  return layers;
}

OnnxLayers onnx_average_pool(OnnxOperator& o) {
  o.inputs(1, 1);
  const bool include = o.n.flag("count_include_pad", false);
  OnnxLayers layers;
  Pool2dOptions options = pool_of(o, include ? Border::zeros : Border::left_out, layers);
  options.count_include_pad = include;
  layers.push_back({"", std::make_shared<AvgPool2d>(options)});
  return layers;
}

// The same as a mean: PyTorch's x.mean([2, 3]).
OnnxLayers onnx_reduce_mean(OnnxOperator& o) {
  o.inputs(1, 2);
  const auto axes = o.axes();
  o.n.flag("noop_with_empty_axes", false);
  const bool keep = o.n.flag("keepdims", true);
  if (o.in.rank() != 4 || !axes || *axes != std::vector<std::int64_t>{2, 3})
    throw o.n.error(fmt::format(
        "only the mean over height and width of images, axes 2 and 3 of [N, C, H, W], "
        "is computed here; this one is over {} of {}",
        axes ? fmt::format("the axes [{}]", fmt::join(*axes, ", ")) : "all axes", o.in.str()));
  OnnxLayers layers = {
      {"", std::make_shared<AvgPool2d>(Pool2dOptions{.kernel = {o.in[2], o.in[3]}})}};
  if (!keep) layers.push_back({"", std::make_shared<Flatten>()});
  return layers;
}

OnnxLayers onnx_pad(OnnxOperator& o) {
  o.inputs(1, 4);
  if (o.n.text("mode", "constant") != "constant")
    throw o.n.error("mode", "only borders of a constant are added; export with mode='constant'");
  auto pads = o.n.integers("pads");
  double value = o.n.number("value", 0);
  if (o.has_input(1)) pads = o.constant(1, "list of borders").integers;
  if (o.has_input(2)) {
    const OnnxTensor& t = o.constant(2, "value");
    if (t.floats.size() != 1) throw o.n.error("the border's value is not one number");
    value = number_meant_by(t.floats[0]);
  }
  if (o.has_input(3)) throw o.n.error("axes of its own are not read; export with opset_version=17");
  o.images();
  if (!pads || pads->size() != 8) throw o.n.error("pads", "eight numbers are expected");
  const std::vector<std::int64_t>& p = *pads;
  for (const std::int64_t width : p)
    if (width < 0) throw o.n.error("a border below 0 cuts the image; export without");
  if (p[0] != 0 || p[1] != 0 || p[4] != 0 || p[5] != 0)
    throw o.n.error("images and channels are added, and only height and width can be padded");
  if (p[2] == 0 && p[3] == 0 && p[6] == 0 && p[7] == 0) return {};
  return {{"", std::make_shared<Pad2d>(Pad2dOptions{p[2], p[3], p[6], p[7], value})}};
}

}  // namespace limulus

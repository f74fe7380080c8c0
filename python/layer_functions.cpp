// Layers as functions, which own nothing (layers/*.h).
#include "core/error.h"
#include "layers/activation.h"
#include "layers/avg_pool2d.h"
#include "layers/batch_norm2d.h"
#include "layers/conv2d.h"
#include "layers/cross_entropy.h"
#include "layers/dropout.h"
#include "layers/linear.h"
#include "layers/max_pool2d.h"
#include "layers/softmax.h"
#include "python/layer_options.h"

namespace limulus::python {

AlphaConvention convention_from(const std::string& name) {
  if (name == "paper") return AlphaConvention::paper;
  if (name == "per_element") return AlphaConvention::per_element;
  throw ValueError("local_response_norm: convention is \"paper\" or \"per_element\", not \"" +
                   name + "\"");
}

LrnRegion region_from(const std::string& name) {
  if (name == "across_channels") return LrnRegion::across_channels;
  if (name == "within_channel") return LrnRegion::within_channel;
  throw ValueError(
      "local_response_norm: region is \"across_channels\" or \"within_channel\", not \"" + name +
      "\"");
}

Pool2dOptions pool_options(const Pair& kernel, const std::optional<Pair>& stride,
                           const Pair& padding, bool ceil, bool count_include_pad) {
  Pool2dOptions o;
  o.kernel = size_from(kernel);
  if (stride) o.stride = size_from(*stride);
  o.pad = size_from(padding);
  o.ceil = ceil;
  o.count_include_pad = count_include_pad;
  return o;
}

namespace {

void bind_windows(nb::module_& m) {
  m.def(
      "conv2d",
      [](const Tensor& x, const Tensor& w, const MaybeTensor& b, const Pair& stride,
         const Pair& padding, const Pair& dilation, std::int64_t groups) {
        return conv2d(x, w, or_undefined(b),
                      {.stride = size_from(stride),
                       .pad = size_from(padding),
                       .dilation = size_from(dilation),
                       .groups = groups});
      },
      "x"_a, "weight"_a, "bias"_a = nb::none(), "stride"_a = 1, "padding"_a = 0, "dilation"_a = 1,
      "groups"_a = 1, nb::call_guard<Computing>(),
      "A convolution: x [N, C, H, W], weight [K, C/groups, FH, FW], bias [K] -> [N, K, OH, OW].\n\n"
      "OH = floor((H - (dilation (FH - 1) + 1) + 2 padding)/stride) + 1. stride, padding and "
      "dilation "
      "are numbers, or pairs (height, width). ShapeError shows the arithmetic where sizes do not "
      "fit.");
  m.def(
      "max_pool2d",
      [](const Tensor& x, const Pair& kernel, const std::optional<Pair>& stride,
         const Pair& padding,
         bool ceil) { return max_pool2d(x, pool_options(kernel, stride, padding, ceil, true)); },
      "x"_a, "kernel_size"_a, "stride"_a = nb::none(), "padding"_a = 0, "ceil_mode"_a = false,
      nb::call_guard<Computing>(),
      "The largest value of each window: [N, C, H, W] -> [N, C, OH, OW]. Without a stride, windows "
      "tile the image; of equal maxima the first gets the gradient. ShapeError.");
  m.def(
      "avg_pool2d",
      [](const Tensor& x, const Pair& kernel, const std::optional<Pair>& stride,
         const Pair& padding, bool ceil, bool count_include_pad) {
        return avg_pool2d(x, pool_options(kernel, stride, padding, ceil, count_include_pad));
      },
      "x"_a, "kernel_size"_a, "stride"_a = nb::none(), "padding"_a = 0, "ceil_mode"_a = false,
      "count_include_pad"_a = true, nb::call_guard<Computing>(),
      "The mean of each window: [N, C, H, W] -> [N, C, OH, OW]. ShapeError.");
  m.def(
      "local_response_norm",
      [](const Tensor& x, std::int64_t size, double alpha, double beta, double k,
         const std::string& convention, const std::string& region) {
        return local_response_norm(
            x, {size, alpha, beta, k, convention_from(convention), region_from(region)});
      },
      "x"_a, "size"_a = 5, "alpha"_a = 1e-4, "beta"_a = 0.75, "k"_a = 2.0, "convention"_a = "paper",
      "region"_a = "across_channels", nb::call_guard<Computing>(),
      "y = x / (k + a sum of x^2 over the window)^beta, x [N, C, H, W].\n\n"
      "The paper's a is alpha. PyTorch, Caffe and ONNX divide it by the window's size: "
      "convention=\"per_element\". The window is over channels, or within a channel: region.");
}

void bind_others(nb::module_& m) {
  m.def(
      "linear",
      [](const Tensor& x, const Tensor& w, const MaybeTensor& b) {
        return linear(x, w, or_undefined(b));
      },
      "x"_a, "weight"_a, "bias"_a = nb::none(), nb::call_guard<Computing>(),
      "y = x w^T + b: x [N, in], weight [out, in], bias [out] -> [N, out]. ShapeError.");
  m.def("relu", &relu, "x"_a, nb::call_guard<Computing>(), "max(0, x); its gradient at 0 is 0.");
  m.def("sigmoid", &sigmoid, "x"_a, nb::call_guard<Computing>(), "1 / (1 + exp(-x)).");
  m.def("tanh", &tanh, "x"_a, nb::call_guard<Computing>(), "The hyperbolic tangent.");
  m.def("softmax", &softmax, "x"_a, nb::call_guard<Computing>(),
        "Positive numbers that add up to 1 along the last axis.");
  m.def("cross_entropy", &cross_entropy, "logits"_a, "labels"_a, nb::call_guard<Computing>(),
        "The mean of -log softmax(x)[label] over a batch: logits [N, C], labels [N] of i64 -> (). "
        "ValueError for a label outside [0, C).");
  m.def("cross_entropy_each", &cross_entropy_each, "logits"_a, "labels"_a,
        nb::call_guard<Computing>(), "The same loss for each sample: -> [N].");
  m.def(
      "dropout",
      [](const Tensor& x, double p, std::uint64_t seed, std::uint64_t stream) {
        return dropout(x, p, {seed, stream});
      },
      "x"_a, "p"_a = 0.5, "seed"_a = 0, "stream"_a = 0, nb::call_guard<Computing>(),
      "Each value is 0 with probability p, else x / (1 - p). The same seed drops the same values. "
      "ValueError unless 0 <= p < 1.");
  m.def(
      "batch_norm2d",
      [](const Tensor& x, const Tensor& weight, const Tensor& bias, const MaybeTensor& mean,
         const MaybeTensor& var, bool training, double momentum, double eps) {
        return batch_norm2d(x, weight, bias, or_undefined(mean), or_undefined(var), training,
                            {momentum, eps});
      },
      "x"_a, "weight"_a, "bias"_a, "running_mean"_a = nb::none(), "running_var"_a = nb::none(),
      "training"_a = true, "momentum"_a = 0.1, "eps"_a = 1e-5, nb::call_guard<Computing>(),
      "Channels brought to mean 0 and variance 1, scaled and shifted: x [N, C, H, W], the others "
      "[C]. In training the running values are updated in place; else they are what is used.");
}

}  // namespace

void bind_layer_functions(nb::module_& m) {
  bind_windows(m);
  bind_others(m);
}

}  // namespace limulus::python

#include "models/onnx_operators.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/checked.h"
#include "core/printable.h"
#include "layers/activation.h"
#include "layers/batch_norm2d.h"
#include "layers/conv2d.h"
#include "layers/dropout.h"
#include "layers/linear.h"
#include "layers/local_response_norm.h"
#include "models/onnx_operator.h"

namespace limulus {

void set_values(Tensor target, const std::vector<float>& values) {
  const NoGrad setting_values;
  const Tensor t = Tensor::from(values, target.shape(), target.backend());
  target.copy_(target.dtype() == DType::f32 ? t : t.to_dtype(target.dtype()));
}

std::string layer_named_by(const std::string& weight) {
  const std::string ending = ".weight";
  return weight.size() > ending.size() && weight.ends_with(ending)
             ? weight.substr(0, weight.size() - ending.size())
             : "";
}

namespace {

// ---- normalization ------------------------------------------------------------------------------

// ONNX divides alpha by the size of the window: AlphaConvention::per_element.
OnnxLayers lrn(OnnxOperator& o) {
  o.inputs(1, 1);
  o.images();
  LrnOptions options;
  options.size = o.n.integer("size", 0);
  options.alpha = o.n.number("alpha", 1e-4);
  options.beta = o.n.number("beta", 0.75);
  options.k = o.n.number("bias", 1);
  options.convention = AlphaConvention::per_element;
  if (options.size < 1) throw o.n.error("size", "it must be 1 or more");
  if (options.size % 2 == 0)
    throw o.n.error(
        "size", fmt::format("of an even window ONNX puts {} channels before the middle and {} "
                            "behind it, Limulus and PyTorch the other way round; use an odd size",
                            options.size / 2 - 1, options.size / 2));
  return {{"", std::make_shared<LocalResponseNorm>(options)}};
}

// Exported as it trains, which is the only way in which PyTorch keeps dropout. Here the network
// decides from moment to moment whether it trains.
void note_of_training(OnnxOperator& o) {
  o.context.notes.push_back(
      fmt::format("node '{}' ({}) was exported for training: it does here as in training while the "
                  "network is trained, and else as in evaluation",
                  printable(o.n.node().name), o.n.node().op));
}

OnnxLayers batch_norm(OnnxOperator& o) {
  o.inputs(5, 5);
  if (o.n.flag("training_mode", false)) note_of_training(o);
  if (o.in.rank() != 4 && o.in.rank() != 2)
    throw o.n.error(
        fmt::format("it reads {}: images [N, C, H, W] or rows [N, C] were expected", o.in.str()));
  BatchNormOptions options;
  options.eps = o.n.number("epsilon", 1e-5);
  options.momentum = number_meant_by(static_cast<float>(1 - o.n.number("momentum", 0.9)));
  if (!(options.eps >= 0)) throw o.n.error("epsilon", "it must not be below 0");
  const std::int64_t channels = o.in[1];
  if (o.constant(1, "scale").shape != std::vector<std::int64_t>{channels})
    throw o.n.error(fmt::format("its scale is [{}], and the input has {} channels",
                                fmt::join(o.constant(1, "scale").shape, ", "), channels));
  auto layer = std::make_shared<BatchNorm2d>(channels, o.context.backend, o.context.dtype, options);
  std::size_t i = 1;
  for (const auto& [what, target] : {std::pair{"scale", layer->weight},
                                     {"bias", layer->bias},
                                     {"mean", layer->running_mean},
                                     {"variance", layer->running_var}}) {
    const OnnxTensor& t = o.weights(i, what);
    if (t.shape != std::vector<std::int64_t>{channels})
      throw o.n.error(fmt::format("its {} is [{}], and the input has {} channels", what,
                                  fmt::join(t.shape, ", "), channels));
    if (i == 4)
      for (const float v : t.floats)
        if (v < 0) throw o.n.error(fmt::format("a variance of {}", v));
    set_values(target, t.floats);
    ++i;
  }
  return {{layer_named_by(o.input_name(1)), layer}};
}

OnnxLayers dropout(OnnxOperator& o) {
  o.inputs(1, 3);
  double p = o.n.number("ratio", 0.5);
  if (o.has_input(1)) {
    const OnnxTensor& t = o.constant(1, "ratio");
    if (t.floats.size() != 1) throw o.n.error("its ratio is not one number");
    p = number_meant_by(t.floats[0]);
  }
  o.n.attribute("seed");  // masks are drawn by this library's own rule
  if (o.has_input(2) && o.constant(2, "training mode").dtype != "bool")
    throw o.n.error("its training mode is neither true nor false");
  if (o.has_input(2)) note_of_training(o);
  return {{"", std::make_shared<Dropout>(p)}};
}

template <class Layer>
OnnxLayers plain(OnnxOperator& o) {
  o.inputs(1, 1);
  return {{"", std::make_shared<Layer>()}};
}

OnnxLayers nothing(OnnxOperator& o) {
  o.inputs(1, 1);
  return {};
}

struct Translation {
  const char* op;
  OnnxLayers (*translate)(OnnxOperator& o);
  std::int64_t since = 1;  // the first opset in which it means this
};

constexpr Translation translations[] = {
    {"Conv", onnx_conv},
    {"MaxPool", onnx_max_pool},
    {"AveragePool", onnx_average_pool},
    {"GlobalAveragePool", onnx_global_average_pool},
    {"GlobalMaxPool", onnx_global_max_pool},
    {"ReduceMean", onnx_reduce_mean},
    {"Pad", onnx_pad},
    {"LRN", lrn},
    {"BatchNormalization", batch_norm, 7},
    {"Dropout", dropout, 7},
    {"Gemm", onnx_gemm, 7},
    {"MatMul", onnx_matmul},
    {"Add", onnx_add_constant, 7},
    {"Flatten", onnx_flatten},
    {"Reshape", onnx_reshape},
    {"Squeeze", onnx_squeeze},
    {"Softmax", onnx_softmax},
    {"Relu", plain<ReLU>},
    {"Sigmoid", plain<Sigmoid>},
    {"Tanh", plain<Tanh>},
    {"Identity", nothing},
};

}  // namespace

OnnxLayers layers_of_node(OnnxNodeReader& n, const Shape& in, const OnnxConstants& constants,
                          OnnxImportContext& context) {
  const auto* entry = std::find_if(std::begin(translations), std::end(translations),
                                   [&](const Translation& e) { return n.node().op == e.op; });
  const bool ours = n.node().domain.empty() || n.node().domain == "ai.onnx";
  if (entry == std::end(translations) || !ours) {
    std::vector<std::string> names;
    for (const Translation& e : translations) names.emplace_back(e.op);
    throw n.error(
        fmt::format("there is no layer for this operator{}; export a network of these: {}, Concat",
                    ours ? "" : fmt::format(" of the domain '{}'", printable(n.node().domain)),
                    fmt::join(names, ", ")));
  }
  if (context.opset < entry->since)
    throw n.error(fmt::format("opset {} means something else by it; export with opset_version=17",
                              context.opset));
  OnnxOperator o{n, in, constants, context};
  OnnxLayers layers = entry->translate(o);
  n.check_all_read();
  return layers;
}

std::shared_ptr<Module> with_bias(const Module& layer, const OnnxTensor& constant,
                                  OnnxImportContext& context) {
  const NoGrad setting_values;
  if (const auto* linear = dynamic_cast<const Linear*>(&layer);
      linear != nullptr && !linear->bias.defined()) {
    const std::int64_t out = linear->weight.size(0);
    const std::vector<float> bias = per_output(constant, out);
    if (bias.empty()) return nullptr;
    auto both =
        std::make_shared<Linear>(linear->weight.size(1), out, context.backend, context.dtype);
    both->weight.copy_(linear->weight);
    set_values(both->bias, bias);
    return both;
  }
  const auto* conv = dynamic_cast<const Conv2d*>(&layer);
  if (conv == nullptr || conv->bias.defined()) return nullptr;
  const std::int64_t out = conv->weight.size(0);
  std::vector<std::int64_t> sizes = constant.shape;
  if (sizes.size() == 4 && sizes[0] == 1) sizes.erase(sizes.begin());
  if (sizes != std::vector<std::int64_t>{out, 1, 1}) return nullptr;
  Conv2dOptions options = conv->options;
  options.bias = true;
  auto both = std::make_shared<Conv2d>(size_product(conv->weight.size(1), options.groups), out,
                                       options, context.backend, context.dtype);
  both->weight.copy_(conv->weight);
  set_values(both->bias, constant.floats);
  return both;
}

}  // namespace limulus

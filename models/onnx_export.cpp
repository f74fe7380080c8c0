#include "models/onnx_export.h"

#include <fmt/format.h>

#include <cmath>

#include "core/error.h"
#include "core/printable.h"
#include "layers/activation.h"
#include "layers/avg_pool2d.h"
#include "layers/batch_norm2d.h"
#include "layers/bias.h"
#include "layers/branches.h"
#include "layers/conv2d.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/local_response_norm.h"
#include "layers/max_pool2d.h"
#include "layers/pad2d.h"
#include "layers/softmax.h"
#include "models/alexnet.h"
#include "models/alexnet_towers.h"

namespace limulus {
namespace {

using Ints = std::vector<std::int64_t>;
using Attributes = std::map<std::string, OnnxAttribute>;

class Exporter {
 public:
  OnnxModel model;

  // The layers from the value `x`, of these sizes; returns the name of what they make.
  std::string add(const Sequential& network, const std::string& prefix, std::string x,
                  Shape* shape);

 private:
  std::string add(const Module& m, const std::string& name, const std::string& prefix,
                  const std::string& x, const Shape& in);
  std::string node(const char* op, const std::string& name, std::vector<std::string> inputs,
                   Attributes attributes = {}) {
    std::string out = name + ":out";
    model.nodes.push_back({op, name, "", std::move(inputs), {out}, std::move(attributes)});
    return out;
  }
  std::string weight(const std::string& name, const Tensor& t) {
    const Tensor floats = t.dtype() == DType::f32 ? t : t.to_dtype(DType::f32);
    model.initializers[name] = {"float", t.shape().sizes(), floats.to_vector<float>(), {}};
    return name;
  }
  Attributes window(const Window2d& w) const {
    return {{"kernel_shape", Ints{w.h.kernel, w.w.kernel}},
            {"strides", Ints{w.h.stride, w.w.stride}},
            {"pads", Ints{w.h.pad, w.w.pad, w.h.pad, w.w.pad}}};
  }
  std::string pool(const char* op, const std::string& name, const std::string& x, const Shape& in,
                   const Pool2dOptions& o);
};

OnnxAttribute number(double value) { return static_cast<float>(value); }

// A ragged last window is written as a larger border at the end: what ceil_mode leaves to the
// reader (does a window count that begins in the border?) is then said.
std::string Exporter::pool(const char* op, const std::string& name, const std::string& x,
                           const Shape& in, const Pool2dOptions& o) {
  const Window2d w = pool2d_shape(in, o, "pool2d").window;
  Attributes a = window(w);
  const auto end = [](const Window1d& axis) {
    return std::max<std::int64_t>((axis.out - 1) * axis.stride + axis.kernel - axis.in - axis.pad,
                                  0);
  };
  const bool average = std::string(op) == "AveragePool";
  if (o.ceil) {
    const Ints pads = {w.h.pad, w.w.pad, end(w.h), end(w.w)};
    const bool ragged = pads[2] > w.h.pad || pads[3] > w.w.pad;
    if (average && o.count_include_pad && ragged && (w.h.pad > 0 || w.w.pad > 0))
      throw ValueError(fmt::format(
          "to_onnx: layer '{}' averages over padding and over a ragged last window, which is "
          "counted in different ways; use count_include_pad = false",
          printable(name)));
    a["pads"] = pads;
    a["ceil_mode"] = std::int64_t{0};
  }
  if (average) {
    const bool bordered = w.h.pad > 0 || w.w.pad > 0;  // else both ways of counting are the same
    a["count_include_pad"] = std::int64_t{o.count_include_pad && bordered ? 1 : 0};
  }
  return node(op, name, {x}, std::move(a));
}

std::string Exporter::add(const Module& m, const std::string& name, const std::string& prefix,
                          const std::string& x, const Shape& in) {
  if (const auto* conv = dynamic_cast<const Conv2d*>(&m)) {
    const Conv2dOptions& o = conv->options;
    Attributes a = window(conv2d_shape(in, conv->weight.shape(), o).window);
    a["dilations"] = Ints{o.dilation.h, o.dilation.w};
    a["group"] = o.groups;
    std::vector<std::string> inputs = {x, weight(name + ".weight", conv->weight)};
    if (conv->bias.defined()) inputs.push_back(weight(name + ".bias", conv->bias));
    return node("Conv", name, inputs, a);
  }
  if (const auto* linear = dynamic_cast<const Linear*>(&m)) {
    std::vector<std::string> inputs = {x, weight(name + ".weight", linear->weight)};
    if (linear->bias.defined()) inputs.push_back(weight(name + ".bias", linear->bias));
    return node("Gemm", name, inputs, {{"transB", std::int64_t{1}}});
  }
  if (const auto* max_pool = dynamic_cast<const MaxPool2d*>(&m))
    return pool("MaxPool", name, x, in, max_pool->options);
  if (const auto* avg_pool = dynamic_cast<const AvgPool2d*>(&m))
    return pool("AveragePool", name, x, in, avg_pool->options);
  if (const auto* lrn = dynamic_cast<const LocalResponseNorm*>(&m)) {
    const LrnOptions& o = lrn->options;
    if (o.region != LrnRegion::across_channels || o.size % 2 == 0)
      throw ValueError(fmt::format(
          "to_onnx: layer '{}' normalizes {}; ONNX's LRN is across channels, and of an even window "
          "it takes other channels",
          printable(name),
          o.size % 2 == 0 ? fmt::format("over an even window of {}", o.size) : "within a channel"));
    const auto n = static_cast<double>(o.size);
    return node("LRN", name, {x},
                {{"size", o.size},
                 {"alpha", number(o.convention == AlphaConvention::paper ? o.alpha * n : o.alpha)},
                 {"beta", number(o.beta)},
                 {"bias", number(o.k)}});
  }
  if (const auto* norm = dynamic_cast<const BatchNorm2d*>(&m))
    return node(
        "BatchNormalization", name,
        {x, weight(name + ".weight", norm->weight), weight(name + ".bias", norm->bias),
         weight(name + ".running_mean", norm->running_mean),
         weight(name + ".running_var", norm->running_var)},
        {{"epsilon", number(norm->options.eps)}, {"momentum", number(1 - norm->options.momentum)}});
  if (const auto* dropout = dynamic_cast<const Dropout*>(&m)) {
    model.initializers[name + ".ratio"] = {"float", {}, {static_cast<float>(dropout->p)}, {}};
    return node("Dropout", name, {x, name + ".ratio"});
  }
  if (const auto* pad = dynamic_cast<const Pad2d*>(&m)) {
    const auto& [top, left, bottom, right, value] = pad->options;
    model.initializers[name + ".pads"] = {"int64", {8}, {}, {0, 0, top, left, 0, 0, bottom, right}};
    model.initializers[name + ".value"] = {"float", {}, {static_cast<float>(value)}, {}};
    return node("Pad", name, {x, name + ".pads", name + ".value"},
                {{"mode", std::string("constant")}});
  }
  if (const auto* bias = dynamic_cast<const Bias*>(&m))
    return node("Add", name, {x, weight(name + ".bias", bias->bias)});
  if (const auto* branches = dynamic_cast<const Branches*>(&m)) {
    std::vector<std::string> ends;
    for (const auto& way : branches->ways) {
      Shape shape = in;
      ends.push_back(add(*way, prefix, x, &shape));
    }
    if (branches->join == Join::concat)
      return node("Concat", name, ends, {{"axis", std::int64_t{1}}});
    std::string sum = ends[0];  // Add takes two
    for (std::size_t i = 1; i < ends.size(); ++i)
      sum = node("Add", i + 1 < ends.size() ? fmt::format("{}_{}", name, i) : name, {sum, ends[i]});
    return sum;
  }
  if (dynamic_cast<const Flatten*>(&m) != nullptr)
    return node("Flatten", name, {x}, {{"axis", std::int64_t{1}}});
  if (dynamic_cast<const Softmax*>(&m) != nullptr)
    return node("Softmax", name, {x}, {{"axis", std::int64_t{-1}}});
  if (dynamic_cast<const ReLU*>(&m) != nullptr) return node("Relu", name, {x});
  if (dynamic_cast<const Sigmoid*>(&m) != nullptr) return node("Sigmoid", name, {x});
  if (dynamic_cast<const Tanh*>(&m) != nullptr) return node("Tanh", name, {x});
  throw ValueError(fmt::format("to_onnx: layer '{}' is a {}, for which ONNX has no operator",
                               printable(name), m.kind()));
}

std::string Exporter::add(const Sequential& network, const std::string& prefix, std::string x,
                          Shape* shape) {
  for (const auto& [own, layer] : network.layers()) {
    const auto* branches = dynamic_cast<const Branches*>(layer.get());
    const std::string name = dotted_name(prefix, branches != nullptr ? branches->name : own);
    if (const auto* inner = dynamic_cast<const Sequential*>(layer.get())) {
      x = add(*inner, name, x, shape);
      continue;
    }
    x = add(*layer, name, prefix, x, *shape);
    *shape = layer->walk(*shape).back().out;
  }
  return x;
}

}  // namespace

OnnxModel to_onnx(Module& network, const Shape& input,
                  const std::map<std::string, std::string>& metadata) {
  if (auto* towers = dynamic_cast<AlexNetTowers*>(&network)) {
    std::int64_t classes = 0;
    for (const auto& [name, t] : network.parameters())
      if (name.ends_with("fc8.bias")) classes += t.numel();
    Backend& backend = network.parameters().front().second.backend();
    const auto whole = alexnet(classes, backend, network.parameters().front().second.dtype());
    join_towers(*towers, *whole);
    return to_onnx(*whole, input, metadata);
  }
  const auto* layers = dynamic_cast<const Sequential*>(&network);
  if (layers == nullptr)
    throw ValueError(
        fmt::format("to_onnx: the network is a {}, and a Sequential is needed", network.kind()));
  Exporter e;
  e.model.producer = "limulus";
  e.model.name = "network";
  e.model.metadata = metadata;
  Shape shape = {1, input[0], input[1], input[2]};
  const std::string in = "input", out = "logits";
  const std::string last = e.add(*layers, "", in, &shape);
  if (e.model.nodes.empty()) throw ValueError("to_onnx: the network has no layers");
  // The last value gets the name of the output.
  for (OnnxNode& n : e.model.nodes)
    for (auto* names : {&n.inputs, &n.outputs})
      for (std::string& name : *names)
        if (name == last) name = out;
  std::vector<std::int64_t> ins = input.sizes(), outs = shape.sizes();
  ins.insert(ins.begin(), -1);
  outs[0] = -1;
  e.model.inputs = {{in, "float", ins}};
  e.model.outputs = {{out, "float", outs}};
  return e.model;
}

}  // namespace limulus

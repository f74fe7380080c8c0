#include "models/onnx_lrn.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>

#include "core/printable.h"
#include "layers/local_response_norm.h"

namespace limulus {
namespace {

using Ints = std::vector<std::int64_t>;

const std::string* input_of(const OnnxNode& node, std::size_t i) {
  return i < node.inputs.size() && !node.inputs[i].empty() ? &node.inputs[i] : nullptr;
}

}  // namespace

OnnxWrittenLrns::OnnxWrittenLrns(const OnnxModel& model) {
  std::map<std::string_view, const OnnxNode*> made_by;
  std::map<std::string_view, int> readers;
  for (const OnnxNode& node : model.nodes) {
    for (const std::string& name : node.outputs) made_by[name] = &node;
    for (const std::string& name : node.inputs) ++readers[name];
  }
  for (const OnnxValue& value : model.outputs) ++readers[value.name];

  // The node that makes the input, if it is one of these operators and nobody else reads from it.
  const auto before = [&](const OnnxNode* node, std::size_t input,
                          std::initializer_list<std::string_view> ops) -> const OnnxNode* {
    const std::string* name = node != nullptr ? input_of(*node, input) : nullptr;
    const auto found = name != nullptr ? made_by.find(*name) : made_by.end();
    if (found == made_by.end() || readers[*name] != 1) return nullptr;
    const OnnxNode* maker = found->second;
    for (const std::string_view op : ops)
      if (maker->op == op && maker->domain.empty()) return maker;
    return nullptr;
  };
  const auto either = [&](const OnnxNode* node, std::initializer_list<std::string_view> ops) {
    const OnnxNode* first = before(node, 0, ops);
    return first != nullptr ? first : before(node, 1, ops);
  };

  for (const OnnxNode& node : model.nodes) {
    if (node.op != "Div" || !node.domain.empty() || node.inputs.size() != 2) continue;
    Nodes n{};
    n.power = before(&node, 1, {"Pow"});
    n.shifted = before(n.power, 0, {"Add"});
    n.scaled = either(n.shifted, {"Mul"});
    n.back = either(n.scaled, {"Squeeze", "Reshape"});
    n.mean = before(n.back, 0, {"AveragePool"});
    n.pad = before(n.mean, 0, {"Pad"});
    n.view = before(n.pad, 0, {"Reshape", "Unsqueeze"});
    const OnnxNode* square = before(n.view, 0, {"Mul"});
    if (square == nullptr || square->inputs != std::vector<std::string>(2, node.inputs[0]))
      continue;
    n.square = square;
    ends_[&node] = n;
    for (const OnnxNode* inner :
         {n.square, n.view, n.pad, n.mean, n.back, n.scaled, n.shifted, n.power})
      inner_.insert(inner);
  }
}

std::shared_ptr<Module> OnnxWrittenLrns::layer(const OnnxNode& end, const Shape& in,
                                               const OnnxConstants& constants,
                                               const std::string& file) const {
  const Nodes& nodes = ends_.at(&end);
  const auto wrong = [&](const OnnxNode& node, const std::string& what) {
    return OnnxNodeReader(file, node)
        .error(fmt::format(
            "it looks like a part of PyTorch's LocalResponseNorm that ends at '{}', but {}",
            printable(end.name), what));
  };
  const auto constant = [&](const OnnxNode& node, std::size_t input) -> const OnnxTensor& {
    const std::string* name = input_of(node, input);
    if (name == nullptr || !constants.has(*name))
      throw wrong(node, "it reads a second value that depends on the image");
    return constants.at(*name);
  };
  const auto number = [&](const OnnxNode& node) {
    const OnnxTensor& t = constant(node, constants.has(node.inputs[0]) ? 0 : 1);
    if (t.floats.size() != 1) throw wrong(node, "its constant is not one number");
    return number_meant_by(t.floats[0]);
  };
  const auto list = [&](const OnnxNode& node, const char* attribute) {
    OnnxNodeReader reader(file, node);
    if (const auto as_attribute = reader.integers(attribute)) return *as_attribute;
    return input_of(node, 1) != nullptr ? constant(node, 1).integers : Ints();
  };

  if (in.rank() != 4) throw wrong(*nodes.square, fmt::format("it reads {}, no images", in.str()));
  // To [N, 1, C, H, W], and back again.
  const Ints sizes = {1, in[1], in[2], in[3]};
  if (const Ints axes = list(*nodes.view, "axes"); nodes.view->op == "Unsqueeze") {
    if (axes != Ints{1}) throw wrong(*nodes.view, "the new axis is not axis 1");
  } else if (axes.size() != 5 || Ints(axes.begin() + 1, axes.end()) != sizes) {
    throw wrong(*nodes.view,
                fmt::format("[{}] is not [N, {}]", fmt::join(axes, ", "), fmt::join(sizes, ", ")));
  }
  if (const Ints axes = list(*nodes.back, "axes"); nodes.back->op == "Squeeze") {
    if (axes != Ints{1}) throw wrong(*nodes.back, "the axis that is taken off is not axis 1");
  } else if (axes.size() != 4 ||
             Ints(axes.begin() + 1, axes.end()) != Ints(sizes.begin() + 1, sizes.end())) {
    throw wrong(*nodes.back,
                fmt::format("[{}] are not the sizes of {}", fmt::join(axes, ", "), in.str()));
  }

  OnnxNodeReader mean(file, *nodes.mean);
  const Ints kernel = mean.integers("kernel_shape").value_or(Ints());
  const Ints ones(3, 1);
  if (kernel.size() != 3 || kernel[0] < 1 || kernel[1] != 1 || kernel[2] != 1 ||
      mean.integers("strides").value_or(ones) != ones ||
      mean.integers("dilations").value_or(ones) != ones ||
      mean.integers("pads").value_or(Ints(6, 0)) != Ints(6, 0) ||
      mean.text("auto_pad", "NOTSET") != "NOTSET")
    throw wrong(*nodes.mean, "it is no average of n channels around each, [n, 1, 1] with stride 1");
  const std::int64_t n = kernel[0];
  Ints border(10, 0);
  border[2] = n / 2;
  border[7] = (n - 1) / 2;
  OnnxNodeReader pad(file, *nodes.pad);
  if (list(*nodes.pad, "pads") != border || pad.text("mode", "constant") != "constant" ||
      pad.number("value", 0) != 0 ||
      (input_of(*nodes.pad, 2) != nullptr && constant(*nodes.pad, 2).floats != std::vector{0.0F}) ||
      input_of(*nodes.pad, 3) != nullptr)
    throw wrong(*nodes.pad,
                fmt::format("it does not add {} channels of zeros before and {} behind, "
                            "as a window of {} needs",
                            n / 2, (n - 1) / 2, n));
  LrnOptions options;
  options.size = n;
  options.alpha = number(*nodes.scaled);
  options.k = number(*nodes.shifted);
  options.beta = number(*nodes.power);
  options.convention = AlphaConvention::per_element;
  return std::make_shared<LocalResponseNorm>(options);
}

}  // namespace limulus

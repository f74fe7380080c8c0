#include "models/onnx_layer_names.h"

#include <fmt/format.h>

#include <cctype>
#include <utility>
#include <vector>

namespace limulus {

std::string portable_name(const std::string& name) {
  std::string result;
  for (const char c : name)
    result +=
        std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.' ? c : '_';
  return result.size() > 100 ? result.substr(0, 100) : result;
}

std::string name_in_pytorch(const OnnxNode& node) {
  std::vector<std::string> parts;
  std::string part;
  for (const char c : node.name + "/") {
    if (c != '/') {
      part += c;
    } else {
      if (!part.empty()) parts.push_back(part);
      part.clear();
    }
  }
  if (!parts.empty() && parts.back().starts_with(node.op)) parts.pop_back();
  std::string name;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i + 1 < parts.size() && parts[i + 1].starts_with(parts[i] + ".")) continue;
    name += (name.empty() ? "" : ".") + parts[i];
  }
  return portable_name(name);
}

namespace {

// "relu", of "relu3": how layers are called here that nobody gave a name.
const char* short_name(const std::string& kind) {
  for (const auto& [k, name] : {std::pair{"Conv2d", "conv"},
                                {"Linear", "fc"},
                                {"ReLU", "relu"},
                                {"MaxPool2d", "pool"},
                                {"AvgPool2d", "pool"},
                                {"LocalResponseNorm", "lrn"},
                                {"BatchNorm2d", "norm"},
                                {"Dropout", "drop"},
                                {"Pad2d", "pad"},
                                {"Bias", "bias"},
                                {"Flatten", "flatten"},
                                {"Sigmoid", "sigmoid"},
                                {"Tanh", "tanh"},
                                {"Softmax", "softmax"}})
    if (kind == k) return name;
  return "layer";
}

}  // namespace

std::string OnnxLayerNames::unused(const std::string& wanted) {
  // The number goes on from one call to the next: 100,000 nodes may have one name.
  int& taken = counts_[wanted + "_"];
  std::string name = wanted;
  for (; !names_.insert(name).second; ++taken) name = fmt::format("{}_{}", wanted, taken + 2);
  return name;
}

std::string OnnxLayerNames::numbered(const std::string& kind) {
  while (true) {
    std::string name = fmt::format("{}{}", kind, ++counts_[kind]);
    if (names_.insert(name).second) return name;
  }
}

std::string OnnxLayerNames::of(const OnnxNode& node, const std::string& weight,
                               const std::string& kind, bool is_last) {
  if (!weight.empty()) return unused(portable_name(weight));
  const std::string in_pytorch = name_in_pytorch(node);
  if (in_pytorch.empty()) return numbered(short_name(kind));
  if (is_last) return unused(in_pytorch);
  return unused(in_pytorch + "_" + short_name(kind));
}

std::string OnnxLayerNames::of_meeting(const OnnxNode& node, const std::string& kind) {
  const std::string in_pytorch = name_in_pytorch(node);
  return in_pytorch.empty() ? numbered(kind) : unused(in_pytorch);
}

}  // namespace limulus

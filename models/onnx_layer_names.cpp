#include "models/onnx_layer_names.h"

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

}  // namespace limulus

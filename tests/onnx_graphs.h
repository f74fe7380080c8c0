#pragma once
// Small ONNX graphs for the tests, written node by node.
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "formats/onnx_file.h"

namespace onnx_graphs {

using limulus::OnnxAttribute;
using limulus::OnnxModel;
using limulus::OnnxNode;
using limulus::OnnxTensor;

using Ints = std::vector<std::int64_t>;
using Attributes = std::map<std::string, OnnxAttribute>;

inline OnnxTensor floats(const Ints& shape, float first = 0.5F, float step = 0.25F) {
  OnnxTensor t{"float", shape, {}, {}};
  const std::int64_t n = t.numel();
  for (std::int64_t i = 0; i < n; ++i)
    t.floats.push_back(first + step * static_cast<float>(i % 7 - 3));
  return t;
}

inline OnnxTensor ints(const Ints& values) {
  return {"int64", {static_cast<std::int64_t>(values.size())}, {}, values};
}

// A graph from "x" to "y", to which nodes and weights are added.
struct Graph {
  OnnxModel model;

  explicit Graph(const Ints& input) {
    model.inputs = {{"x", "float", input}};
    model.outputs = {{"y", "float", {}}};
  }
  Graph& weight(const std::string& name, OnnxTensor t) {
    model.initializers[name] = std::move(t);
    return *this;
  }
  Graph& node(const std::string& op, const std::vector<std::string>& inputs,
              const std::string& output, const Attributes& attributes = {}) {
    model.nodes.push_back({op, op + "_" + output, "", inputs, {output}, attributes});
    return *this;
  }
};

inline OnnxAttribute whole(std::int64_t value) { return value; }

}  // namespace onnx_graphs

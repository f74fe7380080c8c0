#pragma once
// What the translations of ONNX's operators share; for onnx_windows.cpp, onnx_rows.cpp and
// onnx_operators.cpp, which has the table.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "core/printable.h"
#include "models/onnx_operators.h"

namespace limulus {

using OnnxLayers = std::vector<OnnxLayer>;

// One node, and what it reads.
struct OnnxOperator {
  OnnxNodeReader& n;
  const Shape& in;
  const OnnxConstants& constants;
  OnnxImportContext& context;

  bool has_input(std::size_t i) const {
    return i < n.node().inputs.size() && !n.node().inputs[i].empty();
  }
  const std::string& input_name(std::size_t i) const { return n.node().inputs[i]; }

  const OnnxTensor& constant(std::size_t i, const char* what) const {
    if (!has_input(i)) throw n.error(fmt::format("its {} is missing", what));
    if (!constants.has(input_name(i)))
      throw n.error(fmt::format(
          "its {} '{}' is computed from the image, and has to be a constant of the file", what,
          printable(input_name(i))));
    return constants.at(input_name(i));
  }
  const OnnxTensor& weights(std::size_t i, const char* what) const {
    const OnnxTensor& t = constant(i, what);
    if (!t.is_float())
      throw n.error(fmt::format(
          "its {} '{}' is of the type {}; export it as float (quantized networks are not read)",
          what, printable(input_name(i)), t.dtype));
    for (const float value : t.floats)
      if (!std::isfinite(value))
        throw n.error(
            fmt::format("its {} '{}' has a value of {}: the training that made it had "
                        "diverged",
                        what, printable(input_name(i)), value));
    context.numbers_left -= t.numel();
    if (context.numbers_left < 0)
      throw n.error("the file's weights are used by too many nodes: each gets a copy of its own");
    return t;
  }
  // An attribute of the older opsets, a second input of the newer. From 0, in order; none: all.
  std::optional<std::vector<std::int64_t>> axes() const {
    auto list = n.integers("axes");
    if (has_input(1)) list = constant(1, "list of axes").integers;
    if (!list) return list;
    for (std::int64_t& axis : *list)
      if (axis < 0) axis += in.rank();
    std::sort(list->begin(), list->end());
    return list;
  }
  void images() const {
    if (in.rank() != 4)
      throw n.error(fmt::format("it reads {}, and images [N, C, H, W] were expected", in.str()));
  }
  void inputs(std::size_t least, std::size_t most) const {
    const std::size_t count = n.node().inputs.size();
    if (count < least || count > most)
      throw n.error(fmt::format("it has {} inputs, and {} to {} are expected", count, least, most));
  }
};

// Copies the values, which were checked to be as many.
void set_values(Tensor target, const std::vector<float>& values);
// "features.0" of "features.0.weight"; "" where the name says nothing of that kind.
std::string layer_named_by(const std::string& weight);
// A constant as one number per output; empty where it has other sizes.
std::vector<float> per_output(const OnnxTensor& t, std::int64_t outputs);

OnnxLayers onnx_conv(OnnxOperator& o);
OnnxLayers onnx_max_pool(OnnxOperator& o);
OnnxLayers onnx_average_pool(OnnxOperator& o);
OnnxLayers onnx_global_average_pool(OnnxOperator& o);
OnnxLayers onnx_global_max_pool(OnnxOperator& o);
OnnxLayers onnx_reduce_mean(OnnxOperator& o);
OnnxLayers onnx_pad(OnnxOperator& o);
OnnxLayers onnx_gemm(OnnxOperator& o);
OnnxLayers onnx_matmul(OnnxOperator& o);
OnnxLayers onnx_add_constant(OnnxOperator& o);
OnnxLayers onnx_flatten(OnnxOperator& o);
OnnxLayers onnx_reshape(OnnxOperator& o);
OnnxLayers onnx_squeeze(OnnxOperator& o);
OnnxLayers onnx_softmax(OnnxOperator& o);

}  // namespace limulus

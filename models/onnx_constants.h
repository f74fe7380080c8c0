#pragma once
// The values of an ONNX graph that are the same for every image: weights, and the whole numbers
// with which exporters compute sizes. PyTorch writes x.view(x.size(0), -1), with an open batch, as
//
//     Shape(x) = [N, 32, 8, 8] -> Gather 0 = N -> Unsqueeze = [N] -> Concat = [N, -1] -> Reshape
//
// These few operators are computed here, with N as a number of its own. For the importer's files.
#include <map>
#include <string>

#include "core/shape.h"
#include "models/onnx_node.h"

namespace limulus {

inline constexpr std::int64_t kBatchSize = INT64_MIN;  // N, in lists of sizes

class OnnxConstants {
 public:
  OnnxConstants(std::string file, const std::map<std::string, OnnxTensor>& initializers);

  bool has(const std::string& name) const;
  const OnnxTensor& at(const std::string& name) const;  // of has()

  // If all that the node reads is known, computes it; FileError for an operator that is not
  // computed here. False when an input is not known.
  bool compute(const OnnxNode& node);
  // The sizes of a value, [N, C, H, W].
  void set_sizes(const OnnxNode& shape_node, const Shape& sizes);

 private:
  OnnxTensor result_of(OnnxNodeReader& n) const;

  std::string file_;
  const std::map<std::string, OnnxTensor>& initializers_;
  std::int64_t numbers_left_ = 1 << 20;
  std::map<std::string, OnnxTensor> computed_;
  std::map<std::string, std::string> same_;  // Identity: a name for an initializer
};

}  // namespace limulus

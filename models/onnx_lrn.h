#pragma once
// PyTorch's LocalResponseNorm. Its newer exporter (torch.onnx.export with dynamo=True) does not
// write ONNX's operator LRN, but what the layer computes, operator by operator:
//
//     x ---- Mul(x, x) - Reshape [N, 1, C, H, W] - Pad - AveragePool [n, 1, 1] - Squeeze --.
//      \                                                                                    |
//       `------------ Div(x, .) ---- Pow(., beta) ---- Add(., k) ---- Mul(., alpha) --------'
//
// The average over n channels is the sum of their squares over n: the layer, and its alpha, as in
// ONNX. For the importer.
#include <map>
#include <memory>
#include <set>

#include "layers/module.h"
#include "models/onnx_constants.h"

namespace limulus {

class OnnxWrittenLrns {
 public:
  explicit OnnxWrittenLrns(const OnnxModel& model);

  // Whether the node is one of such nodes, and not the last: then nothing is to be done for it.
  bool is_inner(const OnnxNode& node) const { return inner_.contains(&node); }
  // Whether the node is the Div at the end.
  bool is_end(const OnnxNode& node) const { return ends_.contains(&node); }
  // The layer that ends with this Div, for x of the shape `in`. FileError where a number of the
  // other nodes does not belong to a LocalResponseNorm.
  std::shared_ptr<Module> layer(const OnnxNode& end, const Shape& in,
                                const OnnxConstants& constants, const std::string& file) const;

 private:
  struct Nodes {
    const OnnxNode *square, *view, *pad, *mean, *back, *scaled, *shifted, *power;
  };
  std::map<const OnnxNode*, Nodes> ends_;
  std::set<const OnnxNode*> inner_;
};

}  // namespace limulus

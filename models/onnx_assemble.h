#pragma once
// From the nodes of a graph to a Sequential. Where only one value is still to be read, all ways
// have met: a layer of the Sequential ends there. Mostly a node is such a layer by itself; where
// several nodes lie between two such places, they are ways that part and meet (layers/branches.h),
// each a graph of its own. For the importer.
#include <memory>
#include <string>
#include <vector>

#include "layers/branches.h"
#include "models/onnx_layer_names.h"
#include "models/onnx_operators.h"

namespace limulus {

// One node that computes on images: the layers it became, and what it reads.
struct OnnxStep {
  const OnnxNode* node = nullptr;
  std::vector<int> from;  // steps; -1: the input of the network
  std::vector<OnnxLayer> layers;
  bool joins = false;
  Join join = Join::add;
  Shape out;
};

// `chosen` are the steps between the input and the last of them, in the order of the file, and no
// others. FileError where ways cross, or are nested too deep.
std::shared_ptr<Sequential> assemble_steps(const std::vector<OnnxStep>& steps,
                                           const std::vector<int>& chosen, const std::string& file,
                                           OnnxLayerNames& names);

}  // namespace limulus

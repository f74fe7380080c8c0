#pragma once
// What each of ONNX's operators is here: a node becomes a layer, or two, or none. For the importer.
#include <memory>
#include <string>
#include <vector>

#include "layers/module.h"
#include "models/onnx_constants.h"

namespace limulus {

struct OnnxLayer {
  std::string name;  // of the weight, "conv1" of "conv1.weight"; "" where the node's name counts
  std::shared_ptr<Module> module;
};

struct OnnxImportContext {
  std::string file;
  std::int64_t opset = 17;
  Backend& backend;
  DType dtype;
  std::int64_t batch = -1;  // that the file was exported with; -1: open
  std::vector<std::string>& notes;
  std::int64_t numbers_left = 0;  // that weights may still have
};

// The layers of one node that reads one value of the shape `in`, and constants otherwise. FileError
// where it cannot be expressed: what is in the way, and what to export instead.
std::vector<OnnxLayer> layers_of_node(OnnxNodeReader& n, const Shape& in,
                                      const OnnxConstants& constants, OnnxImportContext& context);

// The same layer with this bias, where it is a Conv2d or Linear without one and the constant has a
// number per output; else null.
std::shared_ptr<Module> with_bias(const Module& layer, const OnnxTensor& constant,
                                  OnnxImportContext& context);

}  // namespace limulus

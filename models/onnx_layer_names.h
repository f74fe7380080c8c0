#pragma once
// What layers are called that come from an ONNX file. For the importer.
#include <string>

#include "formats/onnx_file.h"

namespace limulus {

// The name with everything but letters, digits, and _ - . replaced: it becomes part of the names of
// tensors, and of files.
std::string portable_name(const std::string& name);

// PyTorch calls a node by the way to its module and its operator: "/layer1/layer1.0/relu/Relu" is
// "layer1.0.relu". "/Relu_2" or "Relu_5", of a function, says nothing: "".
std::string name_in_pytorch(const OnnxNode& node);

// "relu", of "relu3": how layers are called here that nobody gave a name.
const char* short_name(const std::string& kind);

}  // namespace limulus

#pragma once
// What layers are called that come from an ONNX file. For the importer.
#include <map>
#include <set>
#include <string>

#include "formats/onnx_file.h"

namespace limulus {

// Hands out names, each once.
class OnnxLayerNames {
 public:
  // `weight` is what the layer's weight says of its name, or "". Of a node that becomes several
  // layers, the last one has the node's name.
  std::string of(const OnnxNode& node, const std::string& weight, const std::string& kind,
                 bool is_last);
  // Of the place where ways meet: "add1".
  std::string of_meeting(const OnnxNode& node, const std::string& kind);

 private:
  std::string unused(const std::string& wanted);
  std::string numbered(const std::string& kind);

  std::set<std::string> names_;
  std::map<std::string, int> counts_;
};

// The name with everything but letters, digits, and _ - . replaced: it becomes part of the names of
// tensors, and of files.
std::string portable_name(const std::string& name);

// PyTorch calls a node by the way to its module and its operator: "/layer1/layer1.0/relu/Relu" is
// "layer1.0.relu". "/Relu_2" or "Relu_5", of a function, says nothing: "".
std::string name_in_pytorch(const OnnxNode& node);

}  // namespace limulus

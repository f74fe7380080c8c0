#pragma once
// A network from an ONNX file: a student's own, written by PyTorch, without recompiling anything.
//
//     nodes                              layers
//     Conv, Relu, MaxPool ...            Conv2d, ReLU, MaxPool2d ..., one after the other
//     two ways that end in Add, Concat   Branches (layers/branches.h)
//     Constant, Shape, Gather ...        computed while reading
//
// Layers get the names that their weights have in PyTorch ("features.0"), so that they are found
// again in safetensors files of the same network. What cannot be expressed is a FileError that
// names node, operator and attribute, and says what to export instead. docs/onnx.md has the table.
#include <memory>
#include <string>
#include <vector>

#include "formats/onnx_file.h"
#include "layers/module.h"

namespace limulus {

struct OnnxNetwork {
  std::shared_ptr<Sequential> network;  // with the weights of the file
  Shape input, output;                  // of one image, without the batch
  std::vector<std::string> notes;       // what is otherwise here than in the file, in sentences
};

enum class OnnxOutput {
  as_is,
  logits  // a Softmax or LogSoftmax at the end is left out, as the loss and predictions have it
};

// `file` begins every message.
OnnxNetwork network_from_onnx(const OnnxModel& model, const std::string& file, Backend& backend,
                              DType dtype = DType::f32, OnnxOutput output = OnnxOutput::as_is);

}  // namespace limulus

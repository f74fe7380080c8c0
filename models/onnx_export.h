#pragma once
// A network as an ONNX graph, for ONNX Runtime and others: opset 17, with an open batch.
//
//   LocalResponseNorm    LRN with alpha' = n alpha, as ONNX divides alpha by the window's size n
//   Dropout              Dropout, which ONNX computes as nothing unless it is told to train
//   BatchNorm2d          BatchNormalization with the running mean and variance
//   Linear               Gemm with transB = 1
//   alexnet-towers       the same function in one piece, as alexnet
//
// Nodes have the layers' names and weights the parameters', so that the file reads back as the same
// network (models/onnx_import.h).
#include <map>
#include <string>

#include "formats/onnx_file.h"
#include "layers/module.h"

namespace limulus {

// `input` is of one image, [C, H, W]; the network must be in evaluation mode. ValueError, with the
// layer's name, for what ONNX has no operator for: a layer of a program's own, normalization within
// a channel, an even LRN window.
OnnxModel to_onnx(Module& network, const Shape& input,
                  const std::map<std::string, std::string>& metadata = {});

}  // namespace limulus

#pragma once
// A network that is a file: what `--model net.onnx` reads. onnx_import.h makes networks of any kind
// from any ONNX graph; this takes those that classify pictures.
#include <filesystem>
#include <map>
#include <string>

#include "models/onnx_import.h"

namespace limulus {

struct OnnxClassifier : OnnxNetwork {
  std::map<std::string, std::string> metadata;  // limulus convert writes classes, normalization
};

// A classifier of square pictures: of [N, C, S, S] it makes one row of logits per picture.
// FileError where the file holds something else.
OnnxClassifier read_onnx_classifier(const std::filesystem::path& path, Backend& backend,
                                    DType dtype = DType::f32);

}  // namespace limulus

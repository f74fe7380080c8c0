#pragma once
// limulus convert CHECKPOINT net.onnx
#include <string>

namespace limulus::tools {

// Writes the network of a checkpoint as an ONNX file, with the names of its classes and how its
// pictures are prepared (models/onnx_export.h).
void convert_to_onnx(const std::string& checkpoint, const std::string& to);

}  // namespace limulus::tools

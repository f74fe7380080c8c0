#pragma once
// A tensor of an ONNX file, from protobuf's form to ours; for onnx_file.cpp.
#include <onnx/onnx_pb.h>

#include <filesystem>
#include <string>

#include "formats/onnx_file.h"

namespace limulus {

// "float16", of TensorProto's FLOAT16.
std::string onnx_type_name(int type);

// FileError, naming the file `path` and `what` the tensor is, where its values are not as many as
// its shape says. Its bytes may lie in a file beside `path`.
OnnxTensor onnx_tensor_from(const onnx::TensorProto& t, const std::filesystem::path& path,
                            const std::string& what);

}  // namespace limulus

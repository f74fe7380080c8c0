#pragma once
// ONNX: a network as a list of operators, with their weights, in one file. PyTorch writes it
// (torch.onnx.export), and ONNX Runtime runs it.
//
//     node         "Conv" reads the values x, conv1.weight, conv1.bias and makes the value y
//     value        a name; a node's output is the input of others
//     initializer  a value that the file holds: a weight
//     opset        which year's meaning the operators' names have
//
// The file is a protobuf message. Debian's libonnx-dev and libprotobuf-dev read and write it
// (CMake's LIMULUS_ONNX tells whether they were found); this header has nothing of theirs. What the
// operators mean is not known here: models/onnx_import.h makes a network of them.
//
// Files come from strangers, so the reader believes nothing: every size is checked before it is
// used, and whatever is wrong is a FileError that names the file and the place in it.
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace limulus {

struct OnnxTensor {
  std::string dtype;  // as ONNX names it: "float", "float16", "int64" ...
  std::vector<std::int64_t> shape;
  // The elements. Of float, double (rounded), float16 and bfloat16 (exact):
  std::vector<float> floats;
  // Of int64 and int32. Both lists are empty for other types.
  std::vector<std::int64_t> integers;

  std::int64_t numel() const;
  bool is_float() const;    // of whatever width
  bool is_integer() const;  // int64 or int32
};

struct OnnxOther {
  std::string what;  // "a graph": what an attribute is that nothing here can use
};

using OnnxAttribute = std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>,
                                   std::vector<float>, OnnxTensor, OnnxOther>;

struct OnnxNode {
  std::string op, name, domain;              // "Conv", "/features/features.0/Conv", ""
  std::vector<std::string> inputs, outputs;  // names of values; "" for an input that is left out
  std::map<std::string, OnnxAttribute> attributes;
};

struct OnnxValue {  // an input or output of the whole graph
  std::string name, dtype;
  // -1 for a size that is open, such as the batch's; nothing where the file does not say.
  std::optional<std::vector<std::int64_t>> shape;
};

struct OnnxModel {
  std::int64_t opset = 17;
  std::string producer, producer_version, name;
  std::vector<OnnxValue> inputs, outputs;  // without initializers, which older files list here
  std::vector<OnnxNode> nodes;             // each value is made before it is read
  std::map<std::string, OnnxTensor> initializers;
  std::map<std::string, std::string> metadata;
};

// Whether this build reads and writes ONNX.
bool has_onnx();

// FileError where the file is none, or has what cannot be read: sparse or quantized weights,
// functions, weights in files outside of its folder. (Weights in files inside of it, as PyTorch
// writes them for large networks, are read.)
OnnxModel read_onnx(const std::filesystem::path& path);

// The same content gives the same file, byte for byte. Written atomically. ValueError for more than
// the 2 GB that such a file can have.
void write_onnx(const std::filesystem::path& path, const OnnxModel& model);

// A tensor in a file of its own: how the inputs and outputs of ONNX's own tests are kept.
OnnxTensor read_onnx_tensor(const std::filesystem::path& path);

}  // namespace limulus

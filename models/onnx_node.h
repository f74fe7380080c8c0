#pragma once
// One node of an ONNX graph, read strictly: what is not asked for, or is of another kind, is an
// error that names file, node, operator and attribute. For the importer's own files.
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/error.h"
#include "formats/onnx_file.h"

namespace limulus {

class OnnxNodeReader {
 public:
  OnnxNodeReader(std::string file, const OnnxNode& node) : file_(std::move(file)), node_(node) {}

  const OnnxNode& node() const { return node_; }
  std::int64_t integer(const std::string& name, std::int64_t otherwise);
  bool flag(const std::string& name, bool otherwise);  // 0 or 1
  std::string text(const std::string& name, const std::string& otherwise);
  std::optional<std::vector<std::int64_t>> integers(const std::string& name);
  // A float attribute means the number that somebody wrote: 0.0005 is stored as the float
  // 0.000500000024, and read as 0.0005 again, the shortest number that rounds to that float.
  double number(const std::string& name, double otherwise);
  const OnnxAttribute* attribute(const std::string& name);  // null when it is not there

  // An attribute that was not asked for may change what the operator means.
  void check_all_read() const;

  // "net.onnx: node '/pool/MaxPool' (MaxPool): ..."
  FileError error(const std::string& message) const;
  // "net.onnx: node '/pool/MaxPool' (MaxPool), dilations = [2, 2]: ..."
  FileError error(const std::string& name, const std::string& message) const;

 private:
  template <class T>
  const T* find(const std::string& name, const char* expected);

  std::string file_;
  const OnnxNode& node_;
  std::set<std::string> read_;
};

double number_meant_by(float value);

}  // namespace limulus

#include "formats/onnx_file.h"

#include "core/error.h"

#ifdef LIMULUS_ONNX

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <set>

#include "core/printable.h"
#include "formats/onnx_tensor.h"
#include "formats/read_file.h"

namespace limulus {
namespace {

namespace fs = std::filesystem;

// More than any network has. A node is two bytes in a file and hundreds in memory.
constexpr int kMostNodes = 100'000;

// The name of the first function that a model defines. ONNX 1.7 (Ubuntu 22.04) does not know them:
// they are among the fields that it leaves unread, without a name.
template <class Model>
std::optional<std::string> first_function(const Model& m) {
  if constexpr (requires { m.functions_size(); }) {
    if (m.functions_size() > 0) return m.functions(0).name();
  } else if (!m.unknown_fields().empty()) {
    return "";
  }
  return std::nullopt;
}

class Reader {
 public:
  explicit Reader(const fs::path& path) : path_(path) {}

  template <class Message>
  void parse(Message* message, const char* what) const {
    const MappedFile file(path_);
    const auto bytes = file.bytes();
    if (bytes.size() > std::numeric_limits<int>::max())
      throw fail(fmt::format("has {} bytes; an ONNX file ends at 2 GB", bytes.size()));
    if (!message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
      throw fail(fmt::format("this is not {}, or it was cut or damaged", what));
  }

  OnnxModel model() const;
  OnnxTensor tensor(const onnx::TensorProto& t, const std::string& what) const {
    return onnx_tensor_from(t, path_, what);
  }

 private:
  FileError fail(const std::string& message) const {
    return FileError(fmt::format("{}: {}", path_.string(), message));
  }
  OnnxNode node(const onnx::NodeProto& n) const;
  OnnxAttribute attribute(const onnx::AttributeProto& a, const std::string& what) const;
  OnnxValue value(const onnx::ValueInfoProto& v) const;

  fs::path path_;
};

// ---- nodes and the graph ------------------------------------------------------------------------

OnnxAttribute Reader::attribute(const onnx::AttributeProto& a, const std::string& what) const {
  switch (a.type()) {
    case onnx::AttributeProto::INT:
      return std::int64_t{a.i()};
    case onnx::AttributeProto::FLOAT:
      return a.f();
    case onnx::AttributeProto::STRING:
      return a.s();
    case onnx::AttributeProto::INTS:
      return std::vector<std::int64_t>(a.ints().begin(), a.ints().end());
    case onnx::AttributeProto::FLOATS:
      return std::vector<float>(a.floats().begin(), a.floats().end());
    case onnx::AttributeProto::TENSOR:
      return tensor(a.t(), what);
    case onnx::AttributeProto::GRAPH:
    case onnx::AttributeProto::GRAPHS:
      return OnnxOther{"a graph of its own"};
    default:
      return OnnxOther{"of a kind that is not known here"};
  }
}

OnnxNode Reader::node(const onnx::NodeProto& n) const {
  OnnxNode result{n.op_type(), n.name(), n.domain(), {}, {}, {}};
  result.inputs.assign(n.input().begin(), n.input().end());
  result.outputs.assign(n.output().begin(), n.output().end());
  for (const auto& a : n.attribute()) {
    const std::string what = fmt::format("attribute '{}' of node '{}' ({})", printable(a.name()),
                                         printable(n.name()), printable(n.op_type()));
    if (!result.attributes.emplace(a.name(), attribute(a, what)).second)
      throw fail(what + " is there twice");
  }
  return result;
}

OnnxValue Reader::value(const onnx::ValueInfoProto& v) const {
  OnnxValue result;
  result.name = v.name();
  if (!v.type().has_tensor_type())
    throw fail(fmt::format("the value '{}' is no tensor", printable(v.name())));
  const auto& type = v.type().tensor_type();
  result.dtype = onnx_type_name(type.elem_type());
  if (!type.has_shape()) return result;
  result.shape.emplace();
  for (const auto& size : type.shape().dim())
    result.shape->push_back(size.has_dim_value() && size.dim_value() >= 0 ? size.dim_value() : -1);
  return result;
}

OnnxModel Reader::model() const {
  onnx::ModelProto m;
  parse(&m, "an ONNX file");
  if (!m.has_graph()) throw fail("this is not an ONNX file, or it was cut: it has no graph");
  const onnx::GraphProto& g = m.graph();
  OnnxModel result;
  result.producer = m.producer_name();
  result.producer_version = m.producer_version();
  result.name = g.name();
  result.opset = 0;
  for (const auto& set : m.opset_import())
    if (set.domain().empty() || set.domain() == "ai.onnx") result.opset = set.version();
  if (result.opset == 0) throw fail("it does not say of which opset its operators are");
  if (const auto name = first_function(m))
    throw fail(
        fmt::format("it defines functions of its own{}; export without them, or inline them: "
                    "onnx.inliner.inline_local_functions",
                    name->empty() ? "" : " ('" + printable(*name) + "')"));
  if (g.sparse_initializer_size() > 0)
    throw fail("it has sparse weights; export them as dense ones");
  if (g.node_size() > kMostNodes)
    throw fail(fmt::format("has {} nodes, and at most {} are read", g.node_size(), kMostNodes));

  for (const auto& t : g.initializer()) {
    const std::string what = fmt::format("the initializer '{}'", printable(t.name()));
    if (!result.initializers.emplace(t.name(), tensor(t, what)).second)
      throw fail(what + " is there twice");
  }
  for (const auto& v : g.input())
    if (!result.initializers.contains(v.name())) result.inputs.push_back(value(v));
  for (const auto& v : g.output()) result.outputs.push_back(value(v));
  for (const auto& n : g.node()) result.nodes.push_back(node(n));
  for (const auto& entry : m.metadata_props()) result.metadata[entry.key()] = entry.value();

  // A value has one maker, which stands before its readers; so there is no circle either.
  std::set<std::string> known;
  for (const auto& [name, t] : result.initializers) known.insert(name);
  for (const OnnxValue& v : result.inputs)
    if (!known.insert(v.name).second)
      throw fail(fmt::format("the input '{}' is there twice", printable(v.name)));
  for (const OnnxNode& n : result.nodes) {
    for (const std::string& name : n.inputs)
      if (!name.empty() && !known.contains(name))
        throw fail(fmt::format(
            "node '{}' ({}) reads '{}', which nothing before it makes: nodes stand in a circle or "
            "out of order, or one is missing",
            printable(n.name), printable(n.op), printable(name)));
    for (const std::string& name : n.outputs)
      if (!name.empty() && !known.insert(name).second)
        throw fail(fmt::format("the value '{}' is made twice", printable(name)));
  }
  for (const OnnxValue& v : result.outputs)
    if (!known.contains(v.name))
      throw fail(fmt::format("nothing makes its output '{}'", printable(v.name)));
  return result;
}

}  // namespace

bool has_onnx() { return true; }

OnnxModel read_onnx(const fs::path& path) { return Reader(path).model(); }

OnnxTensor read_onnx_tensor(const fs::path& path) {
  const Reader reader(path);
  onnx::TensorProto t;
  reader.parse(&t, "a tensor of ONNX");
  return reader.tensor(t, "the tensor");
}

}  // namespace limulus

#else

namespace limulus {

bool has_onnx() { return false; }

namespace {

[[noreturn]] void not_built(const std::filesystem::path& path) {
  throw FileError(
      path.string() +
      ": this build neither reads nor writes ONNX; install (Debian's names) libonnx-dev "
      "and libprotobuf-dev, then configure and build again");
}

}  // namespace

OnnxModel read_onnx(const std::filesystem::path& path) { not_built(path); }
void write_onnx(const std::filesystem::path& path, const OnnxModel&) { not_built(path); }
OnnxTensor read_onnx_tensor(const std::filesystem::path& path) { not_built(path); }

}  // namespace limulus

#endif

namespace limulus {

std::int64_t OnnxTensor::numel() const {
  std::int64_t n = 1;
  for (const std::int64_t size : shape) {
    if (size == 0) return 0;
    __builtin_mul_overflow(n, size, &n);  // the reader has checked the product
  }
  return n;
}

bool OnnxTensor::is_float() const {
  return dtype == "float" || dtype == "double" || dtype == "float16" || dtype == "bfloat16";
}

bool OnnxTensor::is_integer() const { return dtype == "int64" || dtype == "int32"; }

}  // namespace limulus

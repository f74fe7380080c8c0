#include "formats/onnx_file.h"

#include "core/error.h"

#ifdef LIMULUS_ONNX

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <set>

#include "core/checked.h"
#include "core/printable.h"
#include "formats/half.h"
#include "formats/read_file.h"

namespace limulus {
namespace {

namespace fs = std::filesystem;

// More than any network has. A node is two bytes in a file and hundreds in memory.
constexpr int kMostNodes = 100'000;

std::string type_name(int type) {
  if (!onnx::TensorProto_DataType_IsValid(type)) return fmt::format("type {}", type);
  std::string name = onnx::TensorProto_DataType_Name(static_cast<onnx::TensorProto_DataType>(type));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

// Bytes of one element; 0 for a type that cannot be read.
std::int64_t size_of_type(int type) {
  switch (type) {
    case onnx::TensorProto::FLOAT:
    case onnx::TensorProto::INT32:
      return 4;
    case onnx::TensorProto::DOUBLE:
    case onnx::TensorProto::INT64:
      return 8;
    case onnx::TensorProto::FLOAT16:
    case onnx::TensorProto::BFLOAT16:
      return 2;
    default:
      return 0;
  }
}

template <class T>
T read_as(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
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
  OnnxTensor tensor(const onnx::TensorProto& t, const std::string& what) const;

 private:
  FileError fail(const std::string& message) const {
    return FileError(fmt::format("{}: {}", path_.string(), message));
  }
  OnnxNode node(const onnx::NodeProto& n) const;
  OnnxAttribute attribute(const onnx::AttributeProto& a, const std::string& what) const;
  OnnxValue value(const onnx::ValueInfoProto& v) const;
  std::string external_bytes(const onnx::TensorProto& t, std::int64_t wanted,
                             const std::string& what) const;
  template <class Field>
  void check_count(const Field& field, std::int64_t numel, const std::string& what) const {
    if (field.size() != numel)
      throw fail(
          fmt::format("{} has {} elements by its shape, and {} values", what, numel, field.size()));
  }

  fs::path path_;
};

// ---- tensors ------------------------------------------------------------------------------------

std::int64_t number_from(const std::string& text) {
  std::int64_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : -1;
}

// The file beside this one that a tensor's bytes lie in. Its name is a stranger's: it must not lead
// out of the folder, by "..", as a path of its own or through a link.
std::string Reader::external_bytes(const onnx::TensorProto& t, std::int64_t wanted,
                                   const std::string& what) const {
  std::string location;
  std::int64_t offset = 0, length = wanted;
  for (const auto& entry : t.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset") offset = number_from(entry.value());
    if (entry.key() == "length") length = number_from(entry.value());
  }
  const auto wrong = [&](const std::string& why) {
    return fail(fmt::format("{} lies in another file, '{}', {}", what, printable(location), why));
  };
  const fs::path name(location, fs::path::generic_format);
  const bool climbs = name.is_absolute() || std::find(name.begin(), name.end(), "..") != name.end();
  if (location.empty() || climbs || location.find('\0') != std::string::npos)
    throw wrong("which is not in its folder");
  std::error_code error;
  const fs::path folder = fs::weakly_canonical(fs::absolute(path_).parent_path(), error);
  const fs::path file = fs::weakly_canonical(folder / name, error);
  if (error ||
      std::mismatch(folder.begin(), folder.end(), file.begin(), file.end()).first != folder.end())
    throw wrong("which a link leads out of its folder");
  if (!fs::exists(file, error))
    throw wrong("which is not there: keep the two files together, or export without external data");
  const MappedFile mapped(file);
  const auto size = static_cast<std::int64_t>(mapped.bytes().size());
  if (offset < 0 || length != wanted || offset > size || size - offset < wanted)
    throw wrong(fmt::format("bytes {} to {} of {}, where its shape needs {}", offset,
                            size_sum(std::max<std::int64_t>(offset, 0), length), size, wanted));
  const auto* begin = reinterpret_cast<const char*>(mapped.bytes().data()) + offset;
  return {begin, begin + wanted};
}

OnnxTensor Reader::tensor(const onnx::TensorProto& t, const std::string& what) const {
  OnnxTensor result;
  result.dtype = type_name(t.data_type());
  std::int64_t numel = 1;
  for (const std::int64_t size : t.dims()) {
    if (size < 0) throw fail(fmt::format("{} has a size of {}", what, size));
    result.shape.push_back(size);
  }
  for (const std::int64_t size : result.shape) numel = size_product(numel, size);
  if (std::count(result.shape.begin(), result.shape.end(), 0) > 0) numel = 0;
  if (t.has_segment()) throw fail(fmt::format("{} is cut into segments", what));
  const std::int64_t each = size_of_type(t.data_type());
  if (each == 0) return result;  // of a type that nobody here asks for, or is told of by name

  std::string bytes;
  const std::int64_t wanted = size_product(numel, each);
  const bool external = t.data_location() == onnx::TensorProto::EXTERNAL;
  if (external) {
    bytes = external_bytes(t, wanted, what);
  } else if (t.has_raw_data()) {
    if (static_cast<std::int64_t>(t.raw_data().size()) != wanted)
      throw fail(fmt::format("{}: its shape [{}] of {} needs {} x {} = {} bytes, and it has {}",
                             what, fmt::join(result.shape, ", "), result.dtype, numel, each, wanted,
                             t.raw_data().size()));
  }
  if (external || t.has_raw_data()) {
    const char* at = external ? bytes.data() : t.raw_data().data();
    for (std::int64_t i = 0; i < numel; ++i, at += each) {
      switch (t.data_type()) {
        case onnx::TensorProto::FLOAT:
          if (i == 0) result.floats.reserve(static_cast<std::size_t>(numel));
          result.floats.push_back(read_as<float>(at));
          break;
        case onnx::TensorProto::DOUBLE:
          result.floats.push_back(static_cast<float>(read_as<double>(at)));
          break;
        case onnx::TensorProto::FLOAT16:
          result.floats.push_back(float_from_half(read_as<std::uint16_t>(at)));
          break;
        case onnx::TensorProto::BFLOAT16:
          result.floats.push_back(float_from_bfloat16(read_as<std::uint16_t>(at)));
          break;
        case onnx::TensorProto::INT32:
          result.integers.push_back(read_as<std::int32_t>(at));
          break;
        default:
          result.integers.push_back(read_as<std::int64_t>(at));
      }
    }
    return result;
  }
  switch (t.data_type()) {
    case onnx::TensorProto::FLOAT:
      check_count(t.float_data(), numel, what);
      result.floats.assign(t.float_data().begin(), t.float_data().end());
      break;
    case onnx::TensorProto::DOUBLE:
      check_count(t.double_data(), numel, what);
      result.floats.assign(t.double_data().begin(), t.double_data().end());
      break;
    case onnx::TensorProto::FLOAT16:
    case onnx::TensorProto::BFLOAT16:
      check_count(t.int32_data(), numel, what);
      for (const std::int32_t bits : t.int32_data()) {
        if (bits < 0 || bits > 0xFFFF)
          throw fail(fmt::format("{} has {}, which is no 16-bit value", what, bits));
        const auto half = static_cast<std::uint16_t>(bits);
        result.floats.push_back(t.data_type() == onnx::TensorProto::FLOAT16
                                    ? float_from_half(half)
                                    : float_from_bfloat16(half));
      }
      break;
    case onnx::TensorProto::INT32:
      check_count(t.int32_data(), numel, what);
      result.integers.assign(t.int32_data().begin(), t.int32_data().end());
      break;
    default:
      check_count(t.int64_data(), numel, what);
      result.integers.assign(t.int64_data().begin(), t.int64_data().end());
  }
  return result;
}

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
  result.dtype = type_name(type.elem_type());
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
  if (m.functions_size() > 0)
    throw fail(
        fmt::format("it defines functions of its own ('{}'); export without them, or inline them: "
                    "onnx.inliner.inline_local_functions",
                    printable(m.functions(0).name())));
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

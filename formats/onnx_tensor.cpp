#ifdef LIMULUS_ONNX

#include "formats/onnx_tensor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "core/checked.h"
#include "core/error.h"
#include "core/printable.h"
#include "formats/half.h"
#include "formats/read_file.h"

namespace limulus {

namespace fs = std::filesystem;

std::string onnx_type_name(int type) {
  if (!onnx::TensorProto_DataType_IsValid(type)) return fmt::format("type {}", type);
  std::string name = onnx::TensorProto_DataType_Name(static_cast<onnx::TensorProto_DataType>(type));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

namespace {

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

FileError failure(const fs::path& path, const std::string& message) {
  return FileError(fmt::format("{}: {}", path.string(), message));
}

std::int64_t number_from(const std::string& text) {
  std::int64_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : -1;
}

// The file beside this one that a tensor's bytes lie in. Its name is a stranger's: it must not lead
// out of the folder, by "..", as a path of its own or through a link.
std::string external_bytes(const onnx::TensorProto& t, const fs::path& path, std::int64_t wanted,
                           const std::string& what) {
  std::string location;
  std::int64_t offset = 0, length = wanted;
  for (const auto& entry : t.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset") offset = number_from(entry.value());
    if (entry.key() == "length") length = number_from(entry.value());
  }
  const auto wrong = [&](const std::string& why) {
    return failure(
        path, fmt::format("{} lies in another file, '{}', {}", what, printable(location), why));
  };
  const fs::path name(location, fs::path::generic_format);
  const bool climbs = name.is_absolute() || std::find(name.begin(), name.end(), "..") != name.end();
  if (location.empty() || climbs || location.find('\0') != std::string::npos)
    throw wrong("which is not in its folder");
  const fs::path folder = fs::absolute(path).parent_path(), file = folder / name;
  if (!lies_in(file, folder)) throw wrong("which a link leads out of its folder");
  std::error_code error;
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

}  // namespace

OnnxTensor onnx_tensor_from(const onnx::TensorProto& t, const fs::path& path,
                            const std::string& what) {
  const auto fail = [&](const std::string& m) { return failure(path, m); };
  const auto check_count = [&](const auto& field, std::int64_t count) {
    if (field.size() != count)
      throw fail(
          fmt::format("{} has {} elements by its shape, and {} values", what, count, field.size()));
  };
  OnnxTensor result;
  result.dtype = onnx_type_name(t.data_type());
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
    bytes = external_bytes(t, path, wanted, what);
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
      check_count(t.float_data(), numel);
      result.floats.assign(t.float_data().begin(), t.float_data().end());
      break;
    case onnx::TensorProto::DOUBLE:
      check_count(t.double_data(), numel);
      result.floats.assign(t.double_data().begin(), t.double_data().end());
      break;
    case onnx::TensorProto::FLOAT16:
    case onnx::TensorProto::BFLOAT16:
      check_count(t.int32_data(), numel);
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
      check_count(t.int32_data(), numel);
      result.integers.assign(t.int32_data().begin(), t.int32_data().end());
      break;
    default:
      check_count(t.int64_data(), numel);
      result.integers.assign(t.int64_data().begin(), t.int64_data().end());
  }
  return result;
}

}  // namespace limulus

#endif

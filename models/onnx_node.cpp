#include "models/onnx_node.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <cstdlib>
#include <type_traits>

#include "core/printable.h"

namespace limulus {
namespace {

std::string value_text(const OnnxAttribute& a) {
  return std::visit(
      [](const auto& value) -> std::string {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, OnnxTensor>)
          return fmt::format("a tensor [{}]", fmt::join(value.shape, ", "));
        else if constexpr (std::is_same_v<T, OnnxOther>)
          return value.what;
        else if constexpr (std::is_same_v<T, std::string>)
          return fmt::format("'{}'", printable(value));
        else if constexpr (std::is_arithmetic_v<T>)
          return fmt::format("{}", value);
        else
          return fmt::format("[{}]", fmt::join(value, ", "));
      },
      a);
}

}  // namespace

double number_meant_by(float value) {
  if (!std::isfinite(value)) return value;
  return std::strtod(fmt::format("{}", value).c_str(), nullptr);
}

const OnnxAttribute* OnnxNodeReader::attribute(const std::string& name) {
  read_.insert(name);
  const auto found = node_.attributes.find(name);
  return found == node_.attributes.end() ? nullptr : &found->second;
}

template <class T>
const T* OnnxNodeReader::find(const std::string& name, const char* expected) {
  const OnnxAttribute* a = attribute(name);
  if (a == nullptr) return nullptr;
  const T* value = std::get_if<T>(a);
  if (value == nullptr) throw error(name, fmt::format("must be {}", expected));
  return value;
}

std::int64_t OnnxNodeReader::integer(const std::string& name, std::int64_t otherwise) {
  const auto* value = find<std::int64_t>(name, "a whole number");
  return value != nullptr ? *value : otherwise;
}

bool OnnxNodeReader::flag(const std::string& name, bool otherwise) {
  const std::int64_t value = integer(name, otherwise ? 1 : 0);
  if (value != 0 && value != 1) throw error(name, "must be 0 or 1");
  return value == 1;
}

std::string OnnxNodeReader::text(const std::string& name, const std::string& otherwise) {
  const auto* value = find<std::string>(name, "a text");
  return value != nullptr ? *value : otherwise;
}

std::optional<std::vector<std::int64_t>> OnnxNodeReader::integers(const std::string& name) {
  const auto* value = find<std::vector<std::int64_t>>(name, "a list of whole numbers");
  if (value == nullptr) return std::nullopt;
  return *value;
}

double OnnxNodeReader::number(const std::string& name, double otherwise) {
  const auto* value = find<float>(name, "a number");
  return value != nullptr ? number_meant_by(*value) : otherwise;
}

void OnnxNodeReader::check_all_read() const {
  for (const auto& [name, value] : node_.attributes)
    if (!read_.contains(name))
      throw error(name, "this attribute is not known here; export with opset_version=17");
}

FileError OnnxNodeReader::error(const std::string& message) const {
  return FileError(fmt::format("{}: node '{}' ({}): {}", file_, printable(node_.name),
                               printable(node_.op), message));
}

FileError OnnxNodeReader::error(const std::string& name, const std::string& message) const {
  const auto found = node_.attributes.find(name);
  const std::string value =
      found == node_.attributes.end() ? "" : " = " + value_text(found->second);
  return FileError(fmt::format("{}: node '{}' ({}), {}{}: {}", file_, printable(node_.name),
                               printable(node_.op), printable(name), value, message));
}

}  // namespace limulus

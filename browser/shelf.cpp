#include "browser/shelf.h"

#include <fmt/format.h>

#include <map>
#include <utility>

#include "core/error.h"
#include "core/printable.h"

namespace limulus::browser {
namespace {

std::map<std::string, std::vector<std::uint8_t>>& byte_arrays() {
  static std::map<std::string, std::vector<std::uint8_t>> arrays;
  return arrays;
}
std::map<std::string, std::vector<double>>& value_arrays() {
  static std::map<std::string, std::vector<double>> arrays;
  return arrays;
}

}  // namespace

std::uint8_t* put_bytes(const std::string& name, std::size_t size) {
  constexpr std::size_t largest = 64 << 20;
  if (size > largest)
    throw ValueError(fmt::format("\"{}\" would have {} bytes; a page may hand over {}",
                                 printable(name), size, largest));
  std::vector<std::uint8_t>& array = byte_arrays()[name];
  array.assign(size, 0);
  return array.data();
}

bool has_bytes(const std::string& name) { return byte_arrays().contains(name); }

std::span<const std::uint8_t> bytes_of(const char* op, const std::string& name) {
  const auto found = byte_arrays().find(name);
  if (found == byte_arrays().end())
    throw ValueError(fmt::format("{}: \"{}\" has not been handed over", op, printable(name)));
  return found->second;
}

void put_values(const std::string& name, std::vector<double> values) {
  value_arrays()[name] = std::move(values);
}

const std::vector<double>& values_of(const std::string& name) {
  const auto found = value_arrays().find(name);
  if (found == value_arrays().end())
    throw ValueError(fmt::format("values: \"{}\" has not been computed", printable(name)));
  return found->second;
}

}  // namespace limulus::browser

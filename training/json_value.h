#pragma once
// A value from JSON that somebody may have changed. A number must be of the wanted kind and fit in
// it: the parser's own conversion would make 2 of a batch of 2.5, 32 of a crop of 2^32 + 32, and
// of 1e300 an integer that C++ leaves undefined.
#include <fmt/format.h>

#include <concepts>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "core/error.h"

namespace limulus {

// A bool, a number, a text, or a list of numbers. ValueError, beginning with `what`, if the JSON is
// something else: "the setting "batch" is 2.5, expected a whole number".
template <class Json, class T>
void read_value(const Json& json, const std::string& what, T& value) {
  const auto bad = [&](const char* expected) {
    return ValueError(fmt::format("{} is {}, expected {}", what, json.dump(), expected));
  };
  if constexpr (std::same_as<T, bool>) {
    if (!json.is_boolean()) throw bad("true or false");
  } else if constexpr (std::integral<T>) {
    if (!json.is_number_integer()) throw bad("a whole number");
    if (json.is_number_unsigned()) {
      if (json.template get<std::uint64_t>() > std::uint64_t{std::numeric_limits<T>::max()})
        throw bad("a smaller number");
    } else if (std::unsigned_integral<T> ||
               json.template get<std::int64_t>() < std::int64_t(std::numeric_limits<T>::min())) {
      throw bad("a larger number");
    }
  } else if constexpr (std::floating_point<T>) {
    if (!json.is_number()) throw bad("a number");
  } else if constexpr (std::same_as<T, std::string>) {
    if (!json.is_string()) throw bad("a text");
  } else {
    static_assert(std::floating_point<typename T::value_type>);
    if (!json.is_array()) throw bad("a list of numbers");
    for (const Json& entry : json)
      if (!entry.is_number()) throw bad("a list of numbers");
  }
  json.get_to(value);
}

}  // namespace limulus

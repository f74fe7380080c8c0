#pragma once
// One layer of a network's description, read strictly. For description.cpp.
#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/printable.h"
#include "core/window.h"

namespace limulus {

using LayerJson = nlohmann::ordered_json;

// What one layer's text says. Everything in it is a stranger's.
class LayerText {
 public:
  explicit LayerText(const LayerJson& json) : json_(json) {
    if (!json.is_object()) throw ValueError("a layer of the network is no JSON object");
    name = text("name");
    kind = text("kind");
  }

  std::string text(const char* key) const {
    const LayerJson& value = at(key);
    if (!value.is_string()) throw bad(key, "a text");
    return value.get<std::string>();
  }
  bool flag(const char* key) const {
    const LayerJson& value = at(key);
    if (!value.is_boolean()) throw bad(key, "true or false");
    return value.get<bool>();
  }
  double number(const char* key) const {
    const LayerJson& value = at(key);
    if (value.is_string() && value == "-inf") return -INFINITY;
    if (value.is_string() && value == "inf") return INFINITY;
    if (!value.is_number()) throw bad(key, "a number");
    return value.get<double>();
  }
  std::int64_t whole(const char* key) const { return whole(key, at(key)); }
  std::vector<std::int64_t> wholes(const char* key, std::size_t most) const {
    const LayerJson& value = at(key);
    if (!value.is_array() || value.size() > most) throw bad(key, "a short list of whole numbers");
    std::vector<std::int64_t> all;
    for (const LayerJson& one : value) all.push_back(whole(key, one));
    return all;
  }
  Size2d pair(const char* key) const {
    const auto both = wholes(key, 2);
    if (both.size() != 2) throw bad(key, "two whole numbers");
    return {both[0], both[1]};
  }
  const LayerJson& list(const char* key) const {
    const LayerJson& value = at(key);
    if (!value.is_array()) throw bad(key, "a list");
    return value;
  }

  std::string name, kind;

 private:
  const LayerJson& at(const char* key) const {
    const auto found = json_.find(key);
    if (found == json_.end())
      throw ValueError(
          fmt::format("layer '{}' of the network has no \"{}\"", printable(name), key));
    return *found;
  }
  ValueError bad(const char* key, const char* expected) const {
    return ValueError(fmt::format("\"{}\" of the network's layer '{}' is not {}", key,
                                  printable(name), expected));
  }
  std::int64_t whole(const char* key, const LayerJson& value) const {
    if (!value.is_number_integer()) throw bad(key, "a whole number");
    if (value.is_number_unsigned() && value.get<std::uint64_t>() > std::uint64_t{INT64_MAX})
      throw bad(key, "a whole number that is not too large");
    return value.get<std::int64_t>();
  }
  const LayerJson& json_;
};

}  // namespace limulus

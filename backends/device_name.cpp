#include "backends/device_name.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "core/names.h"

namespace limulus {
namespace {

// 0 to 9999, exactly as it would be printed.
std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || text.size() > 4 || fmt::format("{}", value) != text || value < 0)
    return std::nullopt;
  return value;
}

// "0/2"
bool parse_part(std::string_view text, DeviceName& name, std::string& why) {
  const std::size_t slash = text.find('/');
  const std::optional<int> part = number(text.substr(0, slash));
  const std::optional<int> parts =
      slash == std::string_view::npos ? std::nullopt : number(text.substr(slash + 1));
  if (!part || !parts) {
    why = "a part is two numbers, as 0/2";
    return false;
  }
  if (*parts < 1 || *parts > DeviceName::most_parts) {
    why = fmt::format("there are 1 to {} parts, not {}", DeviceName::most_parts, *parts);
    return false;
  }
  if (*part >= *parts) {
    why = fmt::format("of {} parts the first is 0/{} and the last is {}/{}", *parts, *parts,
                      *parts - 1, *parts);
    return false;
  }
  name.is_part = true;
  name.part = *part;
  name.parts = *parts;
  return true;
}

// What follows "opencl:", which is "d", "i/n" or "d:i/n".
bool parse_opencl(std::string_view rest, DeviceName& name, std::string& why) {
  const std::size_t slash = rest.find('/'), colon = rest.find(':');
  if (slash == std::string_view::npos || colon < slash) {
    const std::optional<int> device = number(rest.substr(0, colon));
    if (!device) {
      why = rest.empty()
                ? "after the colon comes a number"
                : fmt::format("\"{}\" is not a number from 0 to 9999", rest.substr(0, colon));
      return false;
    }
    name.device = *device;
    if (colon == std::string_view::npos) return true;
    rest = rest.substr(colon + 1);
  }
  return parse_part(rest, name, why);
}

}  // namespace

bool parse_device_name(std::string_view name, DeviceName& parsed, std::string& why) {
  parsed = {};
  why = "";
  const std::size_t colon = name.find(':');
  parsed.family = name.substr(0, colon);
  const bool short_name = colon == std::string_view::npos;
  const std::string_view rest = short_name ? "" : name.substr(colon + 1);
  if (parsed.family == "opencl") return short_name || parse_opencl(rest, parsed, why);
  if (parsed.family == "cpu") return short_name || parse_part(rest, parsed, why);
  if (parsed.family != "reference") return false;
  if (!short_name) why = "the reference has no parts";
  return short_name;
}

DeviceError wrong_device_name(const std::string& name, const std::string& why,
                              const std::vector<std::string>& existing) {
  const std::string nearest = why.empty() ? nearest_name(name, existing) : "";
  std::string list;
  for (const std::string& each : existing) list += (list.empty() ? "" : ", ") + each;
  return DeviceError(fmt::format(
      "device \"{}\": {}.{} Devices are named cpu, reference, opencl:0, opencl:1 ...; the first of "
      "two parts of one is cpu:0/2, opencl:0/2 or opencl:1:0/2. Here there are: {}",
      name, why.empty() ? "there is none of that name" : why,
      nearest.empty() ? "" : fmt::format(" Did you mean {}?", nearest), list));
}

}  // namespace limulus

#include "core/amounts.h"

#include <fmt/format.h>

#include "core/checked.h"

namespace limulus {

std::string with_thousands(std::int64_t n) {
  if (n == uncountable) return "more than " + with_thousands(n - 1);
  std::string digits = std::to_string(n);
  const std::size_t first = n < 0 ? 1 : 0;
  for (std::size_t i = digits.size(); i > first + 3;) digits.insert(i -= 3, 1, ',');
  return digits;
}

std::string in_bytes(std::int64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  const char* unit = "KiB";
  double value = static_cast<double>(bytes) / 1024;
  for (const char* larger : {"MiB", "GiB", "TiB", "PiB", "EiB"}) {
    if (value < 1024) break;
    value /= 1024;
    unit = larger;
  }
  return fmt::format("{}{:.1f} {}", bytes == uncountable ? "more than " : "", value, unit);
}

}  // namespace limulus

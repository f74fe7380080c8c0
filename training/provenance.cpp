#include "training/provenance.h"

#include <fmt/core.h>

#include <ctime>
#include <fstream>

#include "training/data/image.h"

namespace limulus {
namespace {

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &utc);
  return text;
}

}  // namespace

// The macros are set by CMake for this file alone.
std::vector<std::pair<std::string, std::string>> build_provenance() {
  return {{"processor", processor()},
          {"limulus", LIMULUS_VERSION ", commit " LIMULUS_COMMIT},
          {"compiler", LIMULUS_COMPILER},
          {"flags", LIMULUS_FLAGS},
          {"large JPEGs", decodes_scaled() ? "libjpeg" : "stb_image"},
          {"date", today()}};
}

}  // namespace limulus

#pragma once
// An error in a checkpoint names the file, and says how to go on.
#include <fmt/format.h>

#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "core/error.h"
#include "formats/safetensors.h"

namespace limulus {

inline const std::string& metadata_of(const SafetensorsFile& file, const std::string& key) {
  const auto found = file.metadata().find(key);
  if (found == file.metadata().end())
    throw FileError(
        fmt::format("{}: this is not a training checkpoint: it has no \"{}\" in its metadata",
                    file.path().string(), key));
  return found->second;
}

// How to go on after a damaged checkpoint, if there is one before it.
inline std::string way_back(const std::filesystem::path& file) {
  const std::string previous = file.string() + ".previous";
  std::error_code unknown;
  if (!std::filesystem::is_regular_file(previous, unknown)) return "";
  return fmt::format(". The checkpoint before it is still there; to go on with that: mv '{}' '{}'",
                     previous, file.string());
}

// Runs f, which reads the checkpoint `file`, and returns what it returns.
template <class F>
auto reading(const std::filesystem::path& file, F f) {
  const auto damaged = [&](const char* what) {
    return FileError(
        fmt::format("{}: its metadata is damaged: {}{}", file.string(), what, way_back(file)));
  };
  try {
    return f();
  } catch (const nlohmann::json::parse_error&) {
    throw damaged("it is not valid JSON");
  } catch (const nlohmann::json::exception& e) {
    const char* reason = std::strchr(e.what(), ']');  // after the library's own name and number
    throw damaged(reason != nullptr ? reason + 2 : e.what());
  } catch (const ValueError& e) {
    throw damaged(e.what());
  } catch (const FileError& e) {
    throw FileError(e.what() + way_back(file));
  }
}

}  // namespace limulus

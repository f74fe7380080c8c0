#include "backends/opencl/tuning_store.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>

#include "backends/opencl/program.h"
#include "core/error.h"
#include "formats/atomic_file.h"
#include "formats/read_file.h"

namespace limulus::opencl {
namespace {

constexpr int version = 1;  // of the file: another meaning of a size is another version

std::string_view forced_kind() {
  const char* forced = std::getenv("LIMULUS_CL_TUNING");
  const std::string_view kind = forced == nullptr ? "" : forced;
  if (!kind.empty() && kind != "gpu" && kind != "cpu")
    throw DeviceError(
        fmt::format("opencl: LIMULUS_CL_TUNING is \"{}\", but must be cpu or gpu, or unset", kind));
  return kind;
}

// Once a file and reason: a program may start a device many times.
void warn(const std::filesystem::path& path, const std::string& reason) {
  static std::mutex mutex;
  static std::set<std::string> said;
  const std::lock_guard lock(mutex);
  const std::string text = fmt::format(
      "limulus: {}: ignored, as {}; `limulus tune` writes it again\n", path.string(), reason);
  if (said.insert(text).second) std::fputs(text.c_str(), stderr);
}

// nullopt where nothing is stored, or nothing that can be used.
std::optional<Tuning> stored(const cl::Device& device) {
  const std::filesystem::path path = tuning_path(device);
  std::error_code unknown;
  if (path.empty() || !std::filesystem::exists(path, unknown)) return std::nullopt;
  try {
    const nlohmann::json json = nlohmann::json::parse(read_file(path));
    if (json.at("version") == version)
      return tuning_from_json(json.at("sizes").dump(), default_tuning(device));
    warn(path, "it is of another version of Limulus");
  } catch (const ValueError& wrong) {
    warn(path, wrong.what());
  } catch (const nlohmann::json::exception&) {
    warn(path, "it is damaged");
  } catch (const FileError&) {
    warn(path, "it cannot be read");
  }
  return std::nullopt;
}

}  // namespace

Tuning default_tuning(const cl::Device& device) {
  const std::string_view kind = forced_kind();
  const bool is_processor =
      kind.empty() ? (device.getInfo<CL_DEVICE_TYPE>() & CL_DEVICE_TYPE_CPU) != 0 : kind == "cpu";
  return is_processor
             ? processor(static_cast<int>(device.getInfo<CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT>()))
             : gpu();
}

Tuning tuning_for(const cl::Device& device) {
  if (!forced_kind().empty()) return default_tuning(device);
  return stored(device).value_or(default_tuning(device));
}

std::string tuning_note(const cl::Device& device) {
  if (!forced_kind().empty()) return fmt::format("LIMULUS_CL_TUNING={}", forced_kind());
  if (stored(device)) return "measured on this device: " + tuning_path(device).string();
  return default_tuning(device).processor ? "for a processor; limulus tune measures others"
                                          : "for a GPU; limulus tune measures others";
}

std::filesystem::path tuning_path(const cl::Device& device) {
  const std::string folder = cache_folder();
  if (folder.empty()) return {};
  return std::filesystem::path(folder) / ("tuning-" + hash_of(identity_of(device)) + ".json");
}

void store_tuning(const cl::Device& device, const Tuning& t) {
  const std::filesystem::path path = tuning_path(device);
  if (path.empty())
    throw FileError(
        "tune: there is no folder to keep the sizes in: set HOME, or XDG_CACHE_HOME to a folder");
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);  // AtomicFile says what failed
  const nlohmann::ordered_json all = {{"version", version},
                                      {"device", device.getInfo<CL_DEVICE_NAME>()},
                                      {"driver", device.getInfo<CL_DRIVER_VERSION>()},
                                      {"sizes", nlohmann::ordered_json::parse(tuning_json(t))}};
  write_file_atomically(path, all.dump(2) + "\n");
}

}  // namespace limulus::opencl

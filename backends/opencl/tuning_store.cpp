#include "backends/opencl/tuning_store.h"

#include <fmt/format.h>

#include <optional>
#include <string>

#include "backends/opencl/cache.h"
#include "backends/opencl/devices.h"
#include "backends/opencl/program.h"
#include "core/environment.h"
#include "core/error.h"
#include "core/note.h"

namespace limulus::opencl {
namespace {

constexpr int version = 2;  // of the file: a size with a new meaning needs a new version

std::string forced_kind() { return environment::value("LIMULUS_CL_TUNING"); }

std::string file_of(const cl::Device& device) {
  return "tuning-" + hash_of(identity_of(device)) + ".txt";
}
std::string key_of(const cl::Device& device) {
  return fmt::format("measured sizes, version {}\n{}", version, identity_of(device));
}

void ignored(const cl::Device& device, const std::string& why) {
  note(fmt::format("{}: ignored, as {}; limulus tune writes it again", tuning_path(device).string(),
                   why));
}

// nullopt if nothing is stored, or nothing that can be used.
std::optional<Tuning> stored(const cl::Device& device) {
  bool unusable = false;
  const std::optional<std::string> text = cache_read(file_of(device), key_of(device), &unusable);
  if (unusable) ignored(device, "it is damaged, or of another device, driver or version");
  if (!text) return std::nullopt;
  try {
    return tuning_from_json(*text, default_tuning(device));
  } catch (const ValueError& wrong) {
    ignored(device, wrong.what());
    return std::nullopt;
  }
}

}  // namespace

Tuning default_tuning(const cl::Device& device) {
  const std::string kind = forced_kind();
  return (kind.empty() ? is_processor(device) : kind == "cpu")
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
  return std::filesystem::path(folder) / file_of(device);
}

void store_tuning(const cl::Device& device, const Tuning& t) {
  const std::string why = cache_write(file_of(device), key_of(device), tuning_json(t) + "\n");
  if (!why.empty())
    throw FileError(fmt::format(
        "tune: the sizes could not be kept: {}; XDG_CACHE_HOME names another folder", why));
}

}  // namespace limulus::opencl

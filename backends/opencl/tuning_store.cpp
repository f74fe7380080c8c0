#include "backends/opencl/tuning_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>

#include "backends/opencl/program.h"
#include "formats/atomic_file.h"
#include "formats/read_file.h"

namespace limulus::opencl {
namespace {

constexpr int version = 1;  // of the file: another meaning of a size is another version

// Every size with its name and the limits within which a kernel makes sense.
template <class T, class F>
void for_each_size(T& t, F f) {
  f("vec_f32", t.vec_f32, 2, 16);
  f("vec_f64", t.vec_f64, 2, 16);
  f("tile_rows", t.tile_rows, 1, 16);
  f("group_a", t.group_a, 1, 64);
  f("group_b", t.group_b, 1, 64);
  f("slice", t.slice, 1, 64);
  f("k_block", t.k_block, 16, 4096);
  f("k_pass", t.k_pass, 16, std::numeric_limits<int>::max());
  f("run", t.run, 1, 1 << 20);
  f("run_across", t.run_across, 1, 1 << 16);
  f("taps_run", t.taps_run, 1, 1 << 12);
  f("winograd_bytes", t.winograd_bytes, 1 << 16, std::int64_t{1} << 40);
  f("group", t.group, 1, 1024);
}

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
  Tuning t = default_tuning(device);
  try {
    const nlohmann::json json = nlohmann::json::parse(read_file(path));
    if (json.at("version") != version) {
      warn(path, "it is of another version of Limulus");
      return std::nullopt;
    }
    const nlohmann::json& sizes = json.at("sizes");
    for_each_size(t, [&](const char* name, auto& value, auto, auto) {
      if (!sizes.at(name).is_number_integer()) throw FileError("not a number");
      value = sizes.at(name).template get<std::remove_reference_t<decltype(value)>>();
    });
  } catch (const std::exception&) {  // of the parser, a missing key, a value of another type
    warn(path, "it is damaged");
    return std::nullopt;
  }
  const std::string wrong = check_tuning(t);
  if (wrong.empty()) return t;
  warn(path, wrong);
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

std::string check_tuning(const Tuning& t) {
  std::string wrong;
  for_each_size(t, [&](const char* name, auto value, auto low, auto high) {
    if (wrong.empty() && (value < low || value > high))
      wrong = fmt::format("{} is {}, not {} to {}", name, value, low, high);
  });
  for (const int vec : {t.vec_f32, t.vec_f64})
    if (wrong.empty() && (vec & (vec - 1)) != 0)
      wrong = fmt::format("a vector of {} numbers is none that OpenCL has", vec);
  const int widest = std::max(t.vec_f32, t.vec_f64);
  if (wrong.empty() && t.k_block % widest != 0)  // winograd.cl stores whole vectors of a block
    wrong = fmt::format("k_block {} is no multiple of a vector's {}", t.k_block, widest);
  // conv2d.cl: conv_weight reads whole vectors and slices, past the end by less than a panel of B.
  for (const int vec : {t.vec_f32, t.vec_f64})
    if (wrong.empty() && !t.processor && t.slice + vec - 2 > 2 * vec * t.group_b)
      wrong = fmt::format("slice {} is too long for panels of 2 x {} x {} columns", t.slice, vec,
                          t.group_b);
  if (wrong.empty() && t.k_pass % t.k_block != 0)
    wrong = fmt::format("k_pass {} is no multiple of k_block {}", t.k_pass, t.k_block);
  if (wrong.empty() && t.processor && t.taps_run % 6 != 0)  // conv2d.cl: WT
    wrong = fmt::format("taps_run {} is no multiple of 6", t.taps_run);
  if (wrong.empty() && t.processor && (t.group_a != 1 || t.group_b != 1 || t.group != 1))
    wrong = "on a processor a group is one item";
  return wrong;
}

std::string difference(const Tuning& a, const Tuning& b) {
  std::map<std::string_view, std::int64_t> before;
  for_each_size(a, [&](const char* name, auto value, auto, auto) { before[name] = value; });
  std::string text;
  for_each_size(b, [&](const char* name, auto value, auto, auto) {
    if (before[name] != value)
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, value);
  });
  return text;
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
  nlohmann::ordered_json sizes;
  for_each_size(t, [&](const char* name, auto value, auto, auto) { sizes[name] = value; });
  const nlohmann::ordered_json all = {{"version", version},
                                      {"device", device.getInfo<CL_DEVICE_NAME>()},
                                      {"driver", device.getInfo<CL_DRIVER_VERSION>()},
                                      {"sizes", sizes}};
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);  // AtomicFile says what failed
  write_file_atomically(path, all.dump(2) + "\n");
}

}  // namespace limulus::opencl

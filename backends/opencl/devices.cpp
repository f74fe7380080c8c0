#include "backends/opencl/devices.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <utility>

#include "backends/device_name.h"
#include "backends/opencl/cache.h"
#include "backends/opencl/tuning_store.h"
#include "core/environment.h"

namespace limulus::opencl {
namespace {

constexpr const char* what_to_install =
    "install one (Debian, Ubuntu: `apt-get install pocl-opencl-icd` computes on the processor; for "
    "a GPU, its maker's OpenCL driver), and see `clinfo -l`";

std::string list_of(const std::vector<cl::Device>& devices) {
  std::string text;
  for (std::size_t i = 0; i < devices.size(); ++i)
    text += fmt::format("{}opencl:{} ({})", i == 0 ? "" : ", ", i,
                        devices[i].getInfo<CL_DEVICE_NAME>());
  return text;
}

bool supports(const cl::Device& device, cl_device_partition_property how) {
  for (const auto property : device.getInfo<CL_DEVICE_PARTITION_PROPERTIES>())
    if (property == how) return true;
  return false;
}

// Part `part` of `parts`: the compute units from units part/parts to units (part + 1)/parts.
FoundDevice cut(const cl::Device& device, const std::string& name, int part, int parts) {
  const auto whole_instead = [&](const std::string& why) {
    return FoundDevice{
        device,
        fmt::format("{} stands for the whole device, with a queue of its own: {}", name, why)};
  };
  const int units = static_cast<int>(device.getInfo<CL_DEVICE_MAX_COMPUTE_UNITS>());
  if (parts > units)
    return whole_instead(fmt::format("{} compute unit{} cannot be cut into {} parts", units,
                                     units == 1 ? "" : "s", parts));
  std::vector<cl_device_partition_property> how;
  if (supports(device, CL_DEVICE_PARTITION_BY_COUNTS)) {
    how.push_back(CL_DEVICE_PARTITION_BY_COUNTS);
    for (int i = 0; i < parts; ++i) how.push_back(units * (i + 1) / parts - units * i / parts);
    how.push_back(CL_DEVICE_PARTITION_BY_COUNTS_LIST_END);
  } else if (supports(device, CL_DEVICE_PARTITION_EQUALLY)) {
    how = {CL_DEVICE_PARTITION_EQUALLY, units / parts};
  } else {
    return whole_instead("the driver cannot cut it");
  }
  how.push_back(0);
  // A device is cut into so many parts once. They are never given back: PoCL's threads may still
  // look at a part when its last command has ended, and crash if it is gone (4 of 160 runs).
  static std::mutex mutex;
  static auto* const cuts = new std::map<std::pair<cl_device_id, int>, std::vector<cl::Device>>;
  const std::lock_guard lock(mutex);
  std::vector<cl::Device>& all = (*cuts)[{device(), parts}];
  cl::Device whole = device;  // the C++ header's function is not const
  try {
    if (all.empty()) whole.createSubDevices(how.data(), &all);
  } catch (const cl::Error& error) {
    return whole_instead("cutting it gave " + error_name(error.err()));
  }
  return {all.at(static_cast<std::size_t>(part)), ""};
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\0')) text.pop_back();
  return text;
}

std::string in_mebibytes(std::uint64_t bytes) {
  return bytes >= std::uint64_t{1} << 30
             ? fmt::format("{:.1f} GiB", static_cast<double>(bytes) / (1 << 30))
         : bytes >= 1 << 20 ? fmt::format("{} MiB", bytes >> 20)
                            : fmt::format("{} KiB", bytes >> 10);
}

// A property of newer versions than 1.2; 0 where the driver does not know it.
template <class T>
T newer(const cl::Device& device, cl_device_info what) {
  T value{};
  return clGetDeviceInfo(device(), what, sizeof(value), &value, nullptr) == CL_SUCCESS ? value
                                                                                       : T{};
}

// Why a driver lists no device, in its own words. (The C++ header has an empty list for one of
// them.)
std::string why_none(const cl::Platform& platform, const std::string& name) {
  cl_uint count = 0;
  const cl_int code = clGetDeviceIDs(platform(), CL_DEVICE_TYPE_ALL, 0, nullptr, &count);
  std::string text =
      fmt::format("the driver {} lists no device: {} from clGetDeviceIDs", name, error_name(code));
  if (is_pocl(platform))  // PoCL itself says so with POCL_DEBUG=err alone
    text +=
        "; PoCL has none where it cannot write its cache: is XDG_CACHE_HOME (or HOME, or "
        "POCL_CACHE_DIR) a folder that it can write to?";
  return text;
}

}  // namespace

bool is_processor(const cl::Device& device) {
  return (device.getInfo<CL_DEVICE_TYPE>() & CL_DEVICE_TYPE_CPU) != 0;
}

bool is_pocl(const cl::Platform& platform) {
  return trimmed(platform.getInfo<CL_PLATFORM_NAME>()) == "Portable Computing Language";
}

FoundDevices all_devices() {
  // A driver sets itself up in the first call, and PoCL is not ready for a second thread in it.
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  FoundDevices all;
  std::vector<cl::Platform> platforms;
  try {
    cl::Platform::get(&platforms);
  } catch (const cl::Error& error) {
    constexpr cl_int none = -1001;  // CL_PLATFORM_NOT_FOUND_KHR: the loader knows no driver
    const std::string only_there = environment::of_others("OCL_ICD_VENDORS");
    if (error.err() != none)
      all.troubles.emplace_back(failure("OpenCL", "asking for its drivers", error).what());
    else if (!only_there.empty())
      all.troubles.push_back(fmt::format(
          "drivers are looked for where OCL_ICD_VENDORS says, \"{}\", and there is none",
          only_there));
    return all;
  }
  for (const cl::Platform& platform : platforms) {
    std::string name = "without a name";
    try {
      name = trimmed(platform.getInfo<CL_PLATFORM_NAME>());
      std::vector<cl::Device> devices;
      platform.getDevices(CL_DEVICE_TYPE_ALL, &devices);
      all.devices.insert(all.devices.end(), devices.begin(), devices.end());
      if (devices.empty()) all.troubles.push_back(why_none(platform, name));
    } catch (const cl::Error& error) {
      all.troubles.emplace_back(failure("the driver " + name, "listing its devices", error).what());
    }
  }
  return all;
}

std::string describe_device(const cl::Device& device) {
  const bool fp64 = device.getInfo<CL_DEVICE_DOUBLE_FP_CONFIG>() != 0;
  const cl_uint units = device.getInfo<CL_DEVICE_MAX_COMPUTE_UNITS>();
  return fmt::format("{}, {}, {} compute unit{}, {}, {}", trimmed(device.getInfo<CL_DEVICE_NAME>()),
                     trimmed(device.getInfo<CL_DEVICE_VERSION>()), units, units == 1 ? "" : "s",
                     in_mebibytes(device.getInfo<CL_DEVICE_GLOBAL_MEM_SIZE>()),
                     fp64 ? "float and double" : "float only");
}

std::string driver_of(const cl::Device& device) {
  const cl::Platform platform(device.getInfo<CL_DEVICE_PLATFORM>());
  return fmt::format("{}, {}, driver {}", trimmed(platform.getInfo<CL_PLATFORM_NAME>()),
                     trimmed(device.getInfo<CL_DEVICE_NAME>()),
                     trimmed(device.getInfo<CL_DRIVER_VERSION>()));
}

// Limulus itself uses OpenCL 1.2 alone: newer features are only listed, for people.
std::vector<std::pair<std::string, std::string>> facts_of(const cl::Device& device) {
  const cl::Platform platform(device.getInfo<CL_DEVICE_PLATFORM>());
  const auto type = device.getInfo<CL_DEVICE_TYPE>();
  const std::string extensions = device.getInfo<CL_DEVICE_EXTENSIONS>();
  const auto has = [&](const char* name) { return extensions.find(name) != std::string::npos; };
  const bool parts = supports(device, CL_DEVICE_PARTITION_BY_COUNTS) ||
                     supports(device, CL_DEVICE_PARTITION_EQUALLY);
  const cl_uint units = device.getInfo<CL_DEVICE_MAX_COMPUTE_UNITS>();
  constexpr cl_device_info sub_groups = 0x105C, shared_memory = 0x1053;  // OpenCL 2.1, 2.0
  const cl_bitfield svm = newer<cl_bitfield>(device, shared_memory);
  return {
      {"platform", trimmed(platform.getInfo<CL_PLATFORM_NAME>()) + ", " +
                       trimmed(platform.getInfo<CL_PLATFORM_VERSION>())},
      {"driver", trimmed(device.getInfo<CL_DRIVER_VERSION>())},
      {"kind", (type & CL_DEVICE_TYPE_GPU) != 0   ? "GPU"
               : (type & CL_DEVICE_TYPE_CPU) != 0 ? "processor"
                                                  : "accelerator"},
      {"memory", fmt::format("{}, at most {} in one array; {} shared by a work-group",
                             in_mebibytes(device.getInfo<CL_DEVICE_GLOBAL_MEM_SIZE>()),
                             in_mebibytes(device.getInfo<CL_DEVICE_MAX_MEM_ALLOC_SIZE>()),
                             in_mebibytes(device.getInfo<CL_DEVICE_LOCAL_MEM_SIZE>()))},
      {"work-group",
       fmt::format("at most {} items", device.getInfo<CL_DEVICE_MAX_WORK_GROUP_SIZE>())},
      {"numbers", fmt::format("float{}{}; vectors of {} floats",
                              device.getInfo<CL_DEVICE_DOUBLE_FP_CONFIG>() != 0 ? ", double" : "",
                              has("cl_khr_fp16") ? ", half" : "",
                              device.getInfo<CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT>())},
      {"sub-groups",
       has("cl_khr_subgroups") || newer<cl_uint>(device, sub_groups) > 0 ? "yes" : "no"},
      {"SVM", (svm & 2) != 0   ? "fine-grained"
              : (svm & 1) != 0 ? "coarse-grained"
                               : "no"},
      {"parts", parts && units > 1 ? fmt::format("sub-devices, up to {}", units)
                                   : "queues of the whole device, as it cannot be cut"},
      {"sizes", tuning_note(device)},
      {"cache", cache_note()},
  };
}

FoundDevice find_device(const std::string& name) {
  DeviceName parsed;
  std::string why;
  try {
    const FoundDevices found = all_devices();
    if (!parse_device_name(name, parsed, why) || parsed.family != "opencl") {
      std::vector<std::string> existing;
      for (std::size_t i = 0; i < found.devices.size(); ++i)
        existing.push_back(fmt::format("opencl:{}", i));
      throw wrong_device_name(name, why, existing);
    }
    const std::string troubles = fmt::format("{}", fmt::join(found.troubles, "; "));
    if (found.devices.empty())
      throw DeviceError(
          troubles.empty()
              ? fmt::format("device \"{}\": no OpenCL driver is installed; {}", name,
                            what_to_install)
              : fmt::format("device \"{}\": there is no OpenCL device: {}", name, troubles));
    if (static_cast<std::size_t>(parsed.device) >= found.devices.size())
      throw DeviceError(fmt::format("device \"{}\": there is no OpenCL device {}; there {} {}{}",
                                    name, parsed.device, found.devices.size() == 1 ? "is" : "are",
                                    list_of(found.devices),
                                    troubles.empty() ? "" : "; " + troubles));
    const cl::Device& device = found.devices[static_cast<std::size_t>(parsed.device)];
    if (!parsed.is_part) return {device, ""};
    return cut(device, name, parsed.part, parsed.parts);
  } catch (const cl::Error& error) {
    throw failure("device \"" + name + "\"", "looking it up", error);
  }
}

}  // namespace limulus::opencl

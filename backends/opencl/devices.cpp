#include "backends/opencl/devices.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

#include "backends/opencl/tuning_store.h"

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

// A number from 0 to 9999, without sign or leading zeros: one name, one device.
std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || text.size() > 4 || fmt::format("{}", value) != text || value < 0)
    return std::nullopt;
  return value;
}

struct Name {
  int device = 0, part = 0, parts = 1;
};

// What follows "opencl:" is "d", "i/n" or "d:i/n".
std::optional<Name> parse(std::string_view text) {
  Name name;
  const std::size_t slash = text.find('/'), colon = text.find(':');
  if (slash == std::string_view::npos) {
    const std::optional<int> device = number(text);
    if (!device) return std::nullopt;
    name.device = *device;
    return name;
  }
  if (colon != std::string_view::npos) {
    if (colon > slash) return std::nullopt;
    const std::optional<int> device = number(text.substr(0, colon));
    if (!device) return std::nullopt;
    name.device = *device;
  }
  const std::size_t begin = colon == std::string_view::npos ? 0 : colon + 1;
  const std::optional<int> part = number(text.substr(begin, slash - begin));
  const std::optional<int> parts = number(text.substr(slash + 1));
  if (!part || !parts) return std::nullopt;
  name.part = *part;
  name.parts = *parts;
  return name;
}

bool supports(const cl::Device& device, cl_device_partition_property how) {
  for (const auto property : device.getInfo<CL_DEVICE_PARTITION_PROPERTIES>())
    if (property == how) return true;
  return false;
}

// Part `part` of `parts`: the compute units from units part/parts to units (part + 1)/parts.
FoundDevice cut(const cl::Device& device, const std::string& name, int part, int parts) {
  constexpr int most_parts = 64;
  if (parts < 1 || parts > most_parts || part >= parts)
    throw DeviceError(
        fmt::format("device \"{}\": a part is named i/n with i below n and n from 1 to {}, as "
                    "opencl:0/2 and opencl:1/2",
                    name, most_parts));
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
  std::vector<cl::Device> all;
  cl::Device whole = device;  // the C++ header's function is not const
  try {
    whole.createSubDevices(how.data(), &all);
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

}  // namespace

std::vector<cl::Device> all_devices() {
  std::vector<cl::Device> all;
  std::vector<cl::Platform> platforms;
  try {
    cl::Platform::get(&platforms);
  } catch (const cl::Error&) {
    return all;  // the loader says so with an error: no driver
  }
  for (const cl::Platform& platform : platforms) {
    std::vector<cl::Device> devices;
    try {
      platform.getDevices(CL_DEVICE_TYPE_ALL, &devices);
    } catch (const cl::Error&) {
      continue;  // a driver without a device
    }
    all.insert(all.end(), devices.begin(), devices.end());
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

// Limulus itself uses OpenCL 1.2 alone: what is newer is listed for people.
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
  };
}

FoundDevice find_device(const std::string& name) {
  const std::optional<Name> parsed = parse(std::string_view(name).substr(name.find(':') + 1));
  if (!parsed) {
    throw DeviceError(fmt::format(
        "device \"{}\": OpenCL devices are named opencl:0, opencl:1 ..., parts of the first one "
        "opencl:0/2 and opencl:1/2, parts of another one opencl:1:0/2",
        name));
  }
  try {
    const std::vector<cl::Device> devices = all_devices();
    if (devices.empty())
      throw DeviceError(
          fmt::format("device \"{}\": there is no OpenCL device; {}", name, what_to_install));
    if (static_cast<std::size_t>(parsed->device) >= devices.size())
      throw DeviceError(fmt::format("device \"{}\": there is no OpenCL device {}; there are {}",
                                    name, parsed->device, list_of(devices)));
    const cl::Device& device = devices[static_cast<std::size_t>(parsed->device)];
    if (name.find('/') == std::string::npos) return {device, ""};
    return cut(device, name, parsed->part, parsed->parts);
  } catch (const cl::Error& error) {
    throw failure("device \"" + name + "\"", "looking it up", error);
  }
}

}  // namespace limulus::opencl

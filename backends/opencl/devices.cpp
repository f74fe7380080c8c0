#include "backends/opencl/devices.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <string_view>

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
cl::Device cut(const cl::Device& device, const std::string& name, int part, int parts) {
  const int units = static_cast<int>(device.getInfo<CL_DEVICE_MAX_COMPUTE_UNITS>());
  if (parts < 1 || part >= parts) {
    throw DeviceError(fmt::format(
        "device \"{}\": a part is named i/n with i below n, as opencl:0/2 and opencl:1/2", name));
  }
  if (parts > units) {
    throw DeviceError(fmt::format("device \"{}\": {} has {} compute units, too few for {} parts",
                                  name, device.getInfo<CL_DEVICE_NAME>(), units, parts));
  }
  std::vector<cl_device_partition_property> how;
  if (supports(device, CL_DEVICE_PARTITION_BY_COUNTS)) {
    how.push_back(CL_DEVICE_PARTITION_BY_COUNTS);
    for (int i = 0; i < parts; ++i) how.push_back(units * (i + 1) / parts - units * i / parts);
    how.push_back(CL_DEVICE_PARTITION_BY_COUNTS_LIST_END);
  } else if (supports(device, CL_DEVICE_PARTITION_EQUALLY)) {
    how = {CL_DEVICE_PARTITION_EQUALLY, units / parts};
  } else {
    throw DeviceError(fmt::format(
        "device \"{}\": {} cannot be cut into parts (no kind of sub-device is supported); use the "
        "whole device, or parts of the processor: cpu:0/2",
        name, device.getInfo<CL_DEVICE_NAME>()));
  }
  how.push_back(0);
  std::vector<cl::Device> all;
  cl::Device whole = device;  // the C++ header's function is not const
  whole.createSubDevices(how.data(), &all);
  return all.at(static_cast<std::size_t>(part));
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
  const auto trimmed = [](std::string text) {
    while (!text.empty() && (text.back() == ' ' || text.back() == '\0')) text.pop_back();
    return text;
  };
  const bool fp64 = device.getInfo<CL_DEVICE_DOUBLE_FP_CONFIG>() != 0;
  const cl_uint units = device.getInfo<CL_DEVICE_MAX_COMPUTE_UNITS>();
  return fmt::format("{}, {}, {} compute unit{}, {:.1f} GiB, {}, {}",
                     trimmed(device.getInfo<CL_DEVICE_NAME>()),
                     trimmed(device.getInfo<CL_DEVICE_VERSION>()), units, units == 1 ? "" : "s",
                     static_cast<double>(device.getInfo<CL_DEVICE_GLOBAL_MEM_SIZE>()) / (1 << 30),
                     fp64 ? "float and double" : "float only",
                     supports(device, CL_DEVICE_PARTITION_BY_COUNTS) ||
                             supports(device, CL_DEVICE_PARTITION_EQUALLY)
                         ? "can be cut into parts"
                         : "in one piece");
}

cl::Device find_device(const std::string& name) {
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
    if (name.find('/') == std::string::npos) return device;
    return cut(device, name, parsed->part, parsed->parts);
  } catch (const cl::Error& error) {
    throw failure("device \"" + name + "\"", "looking it up", error);
  }
}

}  // namespace limulus::opencl

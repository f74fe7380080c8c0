#pragma once
// The OpenCL devices of this machine, by name:
//     opencl:0      the first device, all platforms in the order in which the driver lists them
//     opencl:0/2    the first half of the first device
//     opencl:1:0/2  the first half of the second
#include <string>
#include <utility>
#include <vector>

#include "backends/opencl/cl.h"

namespace limulus::opencl {

// All devices, and why there are no more: the drivers that list none, or fail.
struct FoundDevices {
  std::vector<cl::Device> devices;
  std::vector<std::string> troubles;  // "the driver Clover failed: CL_OUT_OF_HOST_MEMORY from ..."
};
FoundDevices all_devices();

bool is_processor(const cl::Device& device);
bool is_pocl(const cl::Platform& platform);

// What a device is and supports, in a line; and at length, ("numbers", "float, double") ...
std::string describe_device(const cl::Device& device);
std::string driver_of(const cl::Device& device);  // platform, device and version, for messages
std::vector<std::pair<std::string, std::string>> facts_of(const cl::Device& device);

// The device, or the part of a device, with that name. If a device cannot be divided, each part is
// the whole device with a queue of its own, and `note` says so. The DeviceError says how devices
// are named and which exist, what to install, or what a driver said when it failed.
struct FoundDevice {
  cl::Device device;
  std::string note;
};
FoundDevice find_device(const std::string& name);

}  // namespace limulus::opencl

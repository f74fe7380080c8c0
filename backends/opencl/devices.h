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

std::vector<cl::Device> all_devices();  // empty where there is no driver

// What a device is and supports, in a line; and at length, ("numbers", "float, double") ...
std::string describe_device(const cl::Device& device);
std::vector<std::pair<std::string, std::string>> facts_of(const cl::Device& device);

// The device, or the part of one, of that name. A device that cannot be cut stands for each of its
// parts, and `note` says so: parts are then queues beside each other. DeviceError that says what
// exists, or what to install.
struct FoundDevice {
  cl::Device device;
  std::string note;
};
FoundDevice find_device(const std::string& name);

}  // namespace limulus::opencl

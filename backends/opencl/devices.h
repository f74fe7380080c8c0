#pragma once
// The OpenCL devices of this machine, by name:
//     opencl:0      the first device, all platforms in the order in which the driver lists them
//     opencl:0/2    the first half of the first device
//     opencl:1:0/2  the first half of the second
#include <string>
#include <vector>

#include "backends/opencl/cl.h"

namespace limulus::opencl {

std::vector<cl::Device> all_devices();  // empty where there is no driver

// What a device is and supports, in a line.
std::string describe_device(const cl::Device& device);

// The device, or the part of one, of that name. DeviceError that says what exists, or what to
// install.
cl::Device find_device(const std::string& name);

}  // namespace limulus::opencl

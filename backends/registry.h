#pragma once
// The explicit list of backends. A device is named by a string: "cpu", "reference", "opencl:0", or
// a part of one: "cpu:0/2" is the first half of the processor's threads.
#include <memory>
#include <string>
#include <vector>

#include "core/backend.h"

namespace limulus {

// The backend for `device`; made on first use and kept until the program ends. DeviceError, with
// the list of what exists and what to install, when there is none.
Backend& device(const std::string& name = "cpu");

// Adds a backend from outside of the library (examples/12_backend.cpp): from now on its name() is
// that of a device, until the program ends. ValueError when the name is taken.
Backend& add_device(std::unique_ptr<Backend> backend);

// How many threads `cpu` computes with, from now on. ValueError below 1. The results are the same.
void set_device_threads(int threads);

struct DeviceInfo {
  std::string name, description;
};
std::vector<DeviceInfo> list_devices();

}  // namespace limulus

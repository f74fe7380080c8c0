#pragma once
// The explicit list of backends. A device is named by a string (device_name.h): "cpu", "reference",
// "opencl:0", or a part of one: "cpu:0/2" is the first half of the processor's threads, behind a
// queue of its own. Everything here may be called by many threads.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/backend.h"

namespace limulus {

// The backend for `device`; made on first use and kept until the program ends. If there is none,
// the DeviceError lists what exists and what to install.
Backend& device(const std::string& name = "cpu");

// Adds a backend from outside of the library (examples/12_backend.cpp): from now on its name() is
// that of a device, until the program ends. ValueError when the name is taken.
Backend& add_device(std::unique_ptr<Backend> backend);
template <class Mine>
Backend& add_device(std::unique_ptr<Mine> backend) {
  if constexpr (requires { backend->template find_own_primitives<Mine>(); })
    backend->template find_own_primitives<Mine>();  // derived from CpuBackend
  return add_device(std::unique_ptr<Backend>(std::move(backend)));
}

std::vector<std::string> added_devices();  // their names, in the order of add_device

// "cpu:0/2,cpu:1/2": the devices of a network that lives on two (models/alexnet_towers.h). One name
// gives one. DeviceError for more than two.
std::vector<Backend*> devices(const std::string& names);
std::string description_of(const std::string& names);  // of all of them, for people

// Sets how many threads `cpu`, and devices derived from it, compute with. ValueError below 1. The
// results stay the same. Not to be called while another thread computes on one of them.
void set_device_threads(int threads);

struct DeviceInfo {
  std::string name, description;
  std::vector<std::pair<std::string, std::string>> facts = {};  // what it supports, for people
  std::string refused;                                          // "" or why device() refuses it
};
// The devices that exist. With `checked`, each OpenCL device is opened, which may take seconds the
// first time (backends/opencl/self_check.h), and says whether it is refused.
std::vector<DeviceInfo> list_devices(bool checked = false);
// What OpenCL drivers say that list no device, or fail: one sentence each.
std::vector<std::string> driver_troubles();

}  // namespace limulus

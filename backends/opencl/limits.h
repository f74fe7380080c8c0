#pragma once
// What a device can do at most, as far as the kernels depend on it. The OpenCL specification
// promises little: a work-group of one item, and 32 KiB that a group shares. A size that a device
// cannot run is made smaller, rather than left for the driver to refuse in mid-run.
#include <cstdint>

#include "backends/opencl/tuning.h"

namespace cl {
class Device;  // from a large header (cl.h)
}

namespace limulus::opencl {

struct Limits {
  std::int64_t group_items;  // of one work-group, along its first axis
  std::int64_t local_bytes;  // that the items of a group share
};
Limits limits_of(const cl::Device& device);

// What a group of a product keeps in local memory, in double (kernels/group_tile.cl: SLICES).
std::int64_t local_bytes(const Tuning& t);

// `t` with groups and slices halved until they fit. DeviceError where not even one item does: it
// says how many bytes are needed and how many there are.
Tuning fitted(Tuning t, const Limits& limits);

}  // namespace limulus::opencl

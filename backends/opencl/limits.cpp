#include "backends/opencl/limits.h"

#include <fmt/format.h>

#include <algorithm>

#include "backends/opencl/cl.h"
#include "core/error.h"

namespace limulus::opencl {

Limits limits_of(const cl::Device& device) {
  const std::vector<std::size_t> axes = device.getInfo<CL_DEVICE_MAX_WORK_ITEM_SIZES>();
  const std::size_t group = device.getInfo<CL_DEVICE_MAX_WORK_GROUP_SIZE>();
  return {static_cast<std::int64_t>(axes.empty() ? group : std::min(group, axes[0])),
          static_cast<std::int64_t>(device.getInfo<CL_DEVICE_LOCAL_MEM_SIZE>())};
}

std::int64_t local_bytes(const Tuning& t) {
  if (t.processor) return 0;
  const auto of = [&](std::int64_t vec, std::int64_t size) {
    const std::int64_t slice_a = std::int64_t{t.tile_rows} * t.group_a + vec,
                       slice_b = 2 * vec * t.group_b + vec;
    return 2 * t.slice * (slice_a + slice_b) * size;
  };
  return std::max(of(t.vec_f32, sizeof(float)), of(t.vec_f64, sizeof(double)));
}

Tuning fitted(Tuning t, const Limits& limits) {
  const auto halve_group = [&] {
    int& larger = t.group_a >= t.group_b ? t.group_a : t.group_b;
    larger = std::max(larger / 2, 1);
  };
  t.group = static_cast<int>(
      std::clamp<std::int64_t>(t.group, 1, std::max<std::int64_t>(limits.group_items, 1)));
  while (t.group_a * t.group_b > 1 && t.group_a * t.group_b > limits.group_items) halve_group();
  const int least = std::max(t.vec_f32, t.vec_f64);  // a slice is whole vectors
  while (local_bytes(t) > limits.local_bytes && (t.slice > least || t.group_a * t.group_b > 1))
    if (t.slice > least)
      t.slice = std::max(t.slice / 2, least);
    else
      halve_group();
  if (local_bytes(t) > limits.local_bytes)
    throw DeviceError(
        fmt::format("a single item's slice takes {} bytes of local memory, and this device has {}",
                    local_bytes(t), limits.local_bytes));
  return t;
}

}  // namespace limulus::opencl

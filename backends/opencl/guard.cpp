#include "backends/opencl/guard.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/environment.h"

namespace limulus::opencl {
namespace {

constexpr unsigned char mark = 0xFF;

}  // namespace

Guard guard_wanted() {
  const std::string wanted = environment::value("LIMULUS_CL_GUARD");
  if (wanted == "1") return Guard::strips;
  return wanted == "exact" ? Guard::exact : Guard::none;
}

// A part of a buffer may begin only at multiples of the device's alignment.
Buffer make_guarded(const cl::Context& context, cl::CommandQueue& queue, const cl::Device& device,
                    std::size_t bytes) {
  const std::size_t strip =
      std::max<std::size_t>(device.getInfo<CL_DEVICE_MEM_BASE_ADDR_ALIGN>() / 8, 256);
  Buffer b;
  b.bytes = bytes;
  b.strip = strip;
  b.whole = cl::Buffer(context, CL_MEM_READ_WRITE, strip + bytes + strip);
  queue.enqueueFillBuffer(b.whole, mark, 0, strip + bytes + strip);
  const cl_buffer_region inside = {strip, bytes};
  b.memory = b.whole.createSubBuffer(CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &inside);
  return b;
}

std::string check_guards(cl::CommandQueue& queue, const Buffer& b) {
  std::vector<unsigned char> strip(b.strip);
  for (const bool after : {false, true}) {
    queue.enqueueReadBuffer(b.whole, CL_TRUE, after ? b.strip + b.bytes : 0, b.strip, strip.data());
    const auto damaged = [](unsigned char c) { return c != mark; };
    const auto first = std::find_if(strip.begin(), strip.end(), damaged);
    if (first == strip.end()) continue;
    const auto last = std::find_if(strip.rbegin(), strip.rend(), damaged).base();
    return after ? fmt::format("{} bytes were written from {} bytes after the end of its {}",
                               last - first, first - strip.begin(), b.bytes)
                 : fmt::format("{} bytes were written from {} bytes before the start of its {}",
                               last - first, strip.end() - first, b.bytes);
  }
  return "";
}

}  // namespace limulus::opencl

#pragma once
// LIMULUS_CL_GUARD=1: every buffer lies between two strips of bytes that nothing may write, and
// after each kernel the strips around its arguments are checked. If a kernel wrote outside of an
// array, an error names the kernel, the argument and the place. The strips, like every new buffer,
// are filled with one bits, which read as a number are NaN, so that reading outside of an array
// shows in the result. For tests: the host waits for each kernel.
//
// LIMULUS_CL_GUARD=exact only makes buffers as small as they were asked for, where the pool would
// round sizes up: for Oclgrind, which itself sees what is outside of a buffer.
#include <cstddef>
#include <string>

#include "backends/opencl/cl.h"

namespace limulus::opencl {

// What an opaque handle of the Backend interface points to.
struct Buffer {
  cl::Buffer memory;
  cl::Buffer whole = {};  // with guards: strip, memory, strip
  std::size_t bytes = 0, strip = 0;
};

enum class Guard { none, exact, strips };
Guard guard_wanted();  // by the environment; DeviceError for another word

Buffer make_guarded(const cl::Context& context, cl::CommandQueue& queue, const cl::Device& device,
                    std::size_t bytes);

// "" or what is wrong: "4 bytes were written from 0 bytes after the end of its 1024".
std::string check_guards(cl::CommandQueue& queue, const Buffer& buffer);

}  // namespace limulus::opencl

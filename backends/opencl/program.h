#pragma once
// From the text of a kernel to a program for one device.
#include <string>
#include <vector>

#include "backends/opencl/cl.h"

namespace limulus::opencl {

struct KernelSource {
  const char* name;  // "gemm", for kernels/gemm.cl
  const char* text;
};
const std::vector<KernelSource>& embedded_sources();

// The text of kernels/<name>.cl: from the folder LIMULUS_CL_DIR if that is set, so that an edited
// kernel runs without a build, or else as embedded. FileError when the folder has no such file.
std::string source_text(const std::string& name);

struct BuiltProgram {
  cl::Program program;
  bool from_cache = false;  // taken from what was kept (cache.h), and not yet tried
};

// common.cl and <family>.cl, built for the device. From the cache if it has been built before and
// the driver takes that back; with `fresh` from the text in any case, and kept in place of what
// was. DeviceError with the compiler's log and the lines around the first error if it does not
// build.
BuiltProgram build_program(const std::string& device_name, const cl::Context& context,
                           const cl::Device& device, const std::string& family,
                           const std::string& options, bool fresh = false);

// The device and its driver, by all that tells them from others: lines of names and versions.
std::string identity_of(const cl::Device& device);

}  // namespace limulus::opencl

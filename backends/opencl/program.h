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
  bool from_cache = false;  // taken from the cache (cache.h), and not yet tried
};

// common.cl and <family>.cl, built for the device: from the cache if it was built before and the
// driver accepts that binary (PoCL keeps what it compiles by itself, unless LIMULUS_CL_BINARIES=1).
// With `fresh` it is built from the text in any case, and replaces what was kept. If it does not
// build, the DeviceError has the compiler's log and the lines around the first error.
BuiltProgram build_program(const std::string& device_name, const cl::Context& context,
                           const cl::Device& device, const std::string& family,
                           const std::string& options, bool fresh = false);

// Identifies the device and its driver: lines of names and versions.
std::string identity_of(const cl::Device& device);

}  // namespace limulus::opencl

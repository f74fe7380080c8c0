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

// common.cl and <family>.cl, built for the device. From the cache if it has been built before;
// DeviceError with the compiler's log and the lines around the first error if it does not build.
cl::Program build_program(const std::string& device_name, const cl::Context& context,
                          const cl::Device& device, const std::string& family,
                          const std::string& options);

// A name of 128 bits for what a text says.
std::string hash_of(const std::string& text);
// The device and its driver, by all that tells them from others.
std::string identity_of(const cl::Device& device);

// ---- the cache of built programs ---------------------------------------------------------------
// ${XDG_CACHE_HOME:-~/.cache}/limulus, or "" where neither variable is set: then nothing is kept.
std::string cache_folder();
// Under the key of all that a program depends on. nullopt-like: empty when absent or damaged.
std::vector<unsigned char> cache_read(const std::string& key);
void cache_write(const std::string& key, const std::vector<unsigned char>& binary) noexcept;

}  // namespace limulus::opencl

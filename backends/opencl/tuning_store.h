#pragma once
// Sizes that `limulus tune` found to be the fastest, kept per device and driver beside the built
// programs (cache.h). A file that is damaged, or of another device or version, is ignored with a
// note (core/note.h): the sizes of tuning.h serve.
#include <filesystem>
#include <string>

#include "backends/opencl/cl.h"
#include "backends/opencl/tuning.h"

namespace limulus::opencl {

// The sizes for its kind of device. LIMULUS_CL_TUNING=gpu or cpu takes those of that kind on any
// device, stored ones or not: so a kernel can be tried as on a GPU where there is none.
Tuning default_tuning(const cl::Device& device);

// The stored sizes, or else the default ones.
Tuning tuning_for(const cl::Device& device);
std::string tuning_note(const cl::Device& device);  // which of them, and where from: for people

// Where the device's sizes are, or would be, stored; empty where there is no folder (cache_folder).
std::filesystem::path tuning_path(const cl::Device& device);
// FileError if they cannot be stored.
void store_tuning(const cl::Device& device, const Tuning& t);

}  // namespace limulus::opencl

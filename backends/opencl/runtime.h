#pragma once
// One device at work: its context, its queue, its kernels.
//
// The queue runs commands in the order in which they were given, so nothing ever waits but a
// download: a buffer may go back to the free list while kernels that use it are still to run,
// because whoever gets it next comes later in the same queue.
#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <type_traits>

#include "backends/opencl/cl.h"
#include "backends/opencl/tuning.h"
#include "core/dtype.h"

namespace limulus::opencl {

// What an opaque handle of the Backend interface points to.
struct Buffer {
  cl::Buffer memory;
};

// A scalar that the kernel takes as REAL.
struct Real {
  double value;
};

using Items = std::array<std::int64_t, 3>;  // work-items along three axes

class Runtime {
 public:
  // `name` is the device's, for messages.
  Runtime(std::string name, const cl::Device& device);

  const std::string& name() const { return name_; }
  const cl::Device& device() const { return device_; }
  const cl::Context& context() const { return context_; }
  cl::CommandQueue& queue() { return queue_; }
  const Tuning& tuning() const { return tuning_; }
  int vec(DType dtype) const { return dtype == DType::f64 ? tuning_.vec_f64 : tuning_.vec_f32; }
  bool has_double() const { return has_double_; }

  // Runs kernel `kernel` of kernels/<family>.cl, built for `dtype`. The first axis is rounded up to
  // whole work-groups, and kernels check it. Arguments: buffers (as void*, may be null), whole
  // numbers, Real, and structs as they are. Nothing happens when an axis is 0.
  template <class... Args>
  void launch(const char* family, DType dtype, const char* kernel, const Items& items,
              const Args&... args) {
    if (items[0] <= 0 || items[1] <= 0 || items[2] <= 0) return;
    const std::lock_guard lock(mutex_);  // arguments belong to the kernel: one caller at a time
    cl::Kernel& k = find(family, dtype, kernel);
    cl_uint index = 0;
    (set(k, dtype, index++, args), ...);
    const std::size_t group = tuning_.group, first = static_cast<std::size_t>(items[0]);
    queue_.enqueueNDRangeKernel(
        k, cl::NullRange,
        cl::NDRange((first + group - 1) / group * group, static_cast<std::size_t>(items[1]),
                    static_cast<std::size_t>(items[2])),
        cl::NDRange(group, 1, 1));
  }

 private:
  cl::Kernel& find(const char* family, DType dtype, const char* kernel);
  std::string options(DType dtype) const;

  template <class T>
  static void set(cl::Kernel& k, DType dtype, cl_uint index, const T& arg) {
    if constexpr (std::is_same_v<T, Real>) {
      if (dtype == DType::f64)
        k.setArg(index, arg.value);
      else
        k.setArg(index, static_cast<float>(arg.value));
    } else if constexpr (std::is_pointer_v<T>) {
      static_assert(std::is_void_v<std::remove_pointer_t<T>>);
      const cl_mem memory = arg == nullptr ? nullptr : static_cast<const Buffer*>(arg)->memory();
      k.setArg(index, sizeof(cl_mem), arg == nullptr ? nullptr : static_cast<const void*>(&memory));
    } else {
      k.setArg(index, sizeof(T), static_cast<const void*>(&arg));
    }
  }

  std::string name_;
  cl::Device device_;
  cl::Context context_;
  cl::CommandQueue queue_;
  Tuning tuning_;
  bool has_double_ = false;
  std::mutex mutex_;
  std::map<std::string, cl::Program> programs_;  // "gemm f32"
  std::map<std::string, cl::Kernel> kernels_;    // "gemm f32 pack_a"
};

}  // namespace limulus::opencl

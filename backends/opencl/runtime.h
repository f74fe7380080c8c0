#pragma once
// One device at work: its context, its queue, its kernels.
//
// The queue runs commands in the order in which they were given. So only a download waits, and on a
// processor an upload (for all that came before them, and for their own end). A buffer may go back
// to the free list while kernels that use it are still to run: whoever gets it next comes later in
// the same queue.
#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "backends/finish_at_exit.h"
#include "backends/opencl/cl.h"
#include "backends/opencl/guard.h"
#include "backends/opencl/program.h"
#include "backends/opencl/tuning.h"
#include "core/at_fork.h"
#include "core/denormals.h"
#include "core/dtype.h"

namespace limulus::opencl {

// A scalar that the kernel takes as REAL.
struct Real {
  double value;
};

using Items = std::array<std::int64_t, 3>;  // work-items along three axes

// What a driver refused, and when: "kernel gemm_tile of gemm.cl, 3 x 4 x 1 groups of 64 items".
struct LaunchError {
  std::string launch;
  cl::Error error;
};

class Runtime {
 public:
  // `name` is the device's, for messages.
  Runtime(std::string name, const cl::Device& device, const Tuning& tuning);
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  const std::string& name() const { return name_; }
  const cl::Device& device() const { return device_; }
  // DeviceError in the child of a fork(): the driver's threads are the parent's.
  const cl::Context& context() const {
    check_process();
    return context_;
  }
  cl::CommandQueue& queue() {
    check_process();
    return queue_;
  }
  // Copies `bytes` of the host's memory to a buffer, after what was ordered before. A device with
  // memory of its own gets them from a copy, and the caller need not wait.
  void upload(const Buffer& to, const void* host, std::size_t bytes);
  // Said before a command that waits for all that came before it: the end of the program then has
  // nothing to wait for. (Oclgrind 21.10 crashes if it is asked to, so late.)
  void will_wait() { outstanding_ = false; }
  const Tuning& tuning() const { return tuning_; }
  int vec(DType dtype) const { return dtype == DType::f64 ? tuning_.vec_f64 : tuning_.vec_f32; }
  // Neighbouring elements that an item of some kernels takes together (kernels/common.cl: LANES).
  int lanes(DType dtype) const { return tuning_.processor ? vec(dtype) : 1; }
  // Rows and columns of a product that belong to one work-group (kernels/tile.cl).
  int panel_a() const { return tuning_.tile_rows * tuning_.group_a; }
  int panel_b(DType dtype) const { return 2 * vec(dtype) * tuning_.group_b; }
  bool has_double() const { return has_double_; }
  void pretend_no_double() { has_double_ = false; }
  Guard guard() const { return guard_; }
  std::vector<std::string> kernels_not_run();  // and files that were not used (opencl_backend.h)

  // Runs kernel `kernel` of kernels/<family>.cl, built for `dtype`. The first axis is rounded up to
  // whole work-groups, and kernels check it. Arguments: buffers (as void*, may be null), whole
  // numbers, Real, and structs as they are. Nothing happens when an axis is 0.
  template <class... Args>
  void launch(const char* family, DType dtype, const char* kernel, const Items& items,
              const Args&... args) {
    const std::int64_t group = tuning_.group;
    enqueue(family, dtype, kernel, {(items[0] + group - 1) / group, items[1], items[2]}, group,
            args...);
  }

  // The same for kernels whose work-groups share tiles: along the first axis, whole groups.
  template <class... Args>
  void launch_groups(const char* family, DType dtype, const char* kernel, const Items& groups,
                     const Args&... args) {
    enqueue(family, dtype, kernel, groups, tuning_.group_a * tuning_.group_b, args...);
  }

 private:
  template <class... Args>
  void enqueue(const char* family, DType dtype, const char* kernel, const Items& groups,
               std::int64_t group, const Args&... args) {
    if (groups[0] <= 0 || groups[1] <= 0 || groups[2] <= 0) return;
    check_process();
    const std::lock_guard lock(mutex_);  // a kernel keeps its arguments, so one caller at a time
    const Launch launch = {family, kernel, groups, group};
    for (bool again = true;; again = false) {
      bool ordered = false;
      try {
        LoadedKernel*& place = at_[{family, kernel, dtype, FlushDenormals::active()}];
        if (place == nullptr) place = &find(family, dtype, kernel);
        LoadedKernel& known = *place;
        cl::Kernel& k = known.kernel;
        cl_uint index = 0;
        (set(k, dtype, index++, args), ...);
        const auto size = [](std::int64_t n) { return static_cast<std::size_t>(n); };
        outstanding_ = true;
        cl::Event event;
        queue_.enqueueNDRangeKernel(
            k, cl::NullRange,
            cl::NDRange(size(groups[0] * group), size(groups[1]), size(groups[2])),
            cl::NDRange(size(group), 1, 1), nullptr, profiled_ ? &event : nullptr);
        if (profiled_) add_time(family, kernel, event);
        ordered = true;
        if (!known.has_run) {  // its compiler ran, and made static objects of its own
          queue_.finish();
          finish_at_exit_.renew();
          known.has_run = true;
        }
        index = 0;
        if (guard_ == Guard::strips) (check(launch, index++, args), ...);
        return;
      } catch (const cl::Error& error) {
        if (ordered || !again || !rebuild(family, dtype, kernel))
          throw LaunchError{launch.text(), error};
      }
    }
  }

  struct LoadedKernel {
    cl::Kernel kernel;
    bool has_run = false;
  };
  LoadedKernel& find(const char* family, DType dtype, const char* kernel);
  // Builds the program of a kernel from its text, if the kernel has never run and the program came
  // from the cache: the cached one may be another program, or one that the driver accepts but
  // cannot use. Returns false if nothing better can be done.
  bool rebuild(const char* family, DType dtype, const char* kernel);
  static std::string program_name(const char* family, DType dtype);  // "gemm f32"
  std::string options(DType dtype) const;
  void check_process() const;
  void add_time(const char* family, const char* kernel, const cl::Event& event);
  void print_times();  // and forgets them

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

  struct Launch {
    const char *family, *kernel;
    Items groups;
    std::int64_t group;
    std::string text() const;
  };

  // DeviceError if the guards of this argument, if it is a buffer, were written.
  template <class T>
  void check(const Launch& launch, cl_uint index, const T& arg) {
    if constexpr (std::is_pointer_v<T>)
      if (arg != nullptr) check_buffer(launch, index, *static_cast<const Buffer*>(arg));
  }
  void check_buffer(const Launch& launch, cl_uint index, const Buffer& buffer);

  std::string name_;
  cl::Device device_;
  cl::Context context_;
  cl::CommandQueue queue_;
  Tuning tuning_;
  bool has_double_ = false;
  Guard guard_;
  std::mutex mutex_;
  std::map<std::string, BuiltProgram> programs_;  // "gemm f32", "gemm f32 flushing"
  std::map<std::string, LoadedKernel> kernels_;   // "gemm f32 pack_a"
  // The same by their names' addresses, which a launch finds without making a text.
  std::map<std::tuple<const char*, const char*, DType, bool>, LoadedKernel*> at_;
  const bool profiled_;  // LIMULUS_CL_PROFILE
  struct Time {
    std::int64_t runs = 0, nanoseconds = 0;
  };
  std::map<std::string, Time> times_;  // "gemm.cl pack_a"
  // Copies of what is on its way to the device, one after the other. Memory that the driver made
  // (CL_MEM_ALLOC_HOST_PTR) is where a card can fetch from by itself.
  struct Staged {
    cl::Buffer memory;
    void* mapped = nullptr;
    std::size_t bytes = 0;
    cl::Event sent;
  };
  void give_back(Staged& staged);  // once it was sent
  std::array<Staged, 3> staged_;
  cl::CommandQueue mapping_;  // in queue_, a map would wait its turn
  std::size_t next_staged_ = 0;
  std::mutex upload_mutex_;
  std::uint64_t forks_ = fork_count();
  std::atomic<bool> outstanding_ = false;  // kernels that nobody has waited for
  FinishAtExit finish_at_exit_{[this] {
    if (outstanding_ && fork_count() == forks_) queue_.finish();
    for (Staged& staged : staged_) give_back(staged);
    print_times();
  }};
};

}  // namespace limulus::opencl

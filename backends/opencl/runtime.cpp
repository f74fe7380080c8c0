#include "backends/opencl/runtime.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <sstream>
#include <utility>

#include "backends/opencl/devices.h"
#include "backends/opencl/program.h"
#include "core/environment.h"

namespace limulus::opencl {
Runtime::Runtime(std::string name, const cl::Device& device, const Tuning& tuning)
    : name_(std::move(name)),
      device_(device),
      tuning_(tuning),
      guard_(guard_wanted()),
      profiled_(environment::is_on("LIMULUS_CL_PROFILE", false)) {
  try {
    context_ = cl::Context(device);
    queue_ = cl::CommandQueue(context_, device, profiled_ ? CL_QUEUE_PROFILING_ENABLE : 0);
    has_double_ = device.getInfo<CL_DEVICE_DOUBLE_FP_CONFIG>() != 0;
  } catch (const cl::Error& error) {
    throw failure(name_, "starting the device (" + driver_of(device) + ")", error);
  }
}

// -w: otherwise PoCL's compiler writes a line to stderr for each loop that it could not turn into
// vectors. A GPU's kernels on a processor are not optimized: their groups, as loops over all items
// between two barriers, take the compiler far longer than they run (a test of the product on PoCL:
// 32 s, and 3 s without).
std::string Runtime::options(DType dtype) const {
  const bool wide = dtype == DType::f64;
  const Tuning& t = tuning_;
  return fmt::format(
      "-cl-std=CL1.2 -DREAL={}{} -DVEC={} -DMR={} -DGROUP_A={} -DGROUP_B={} -DSLICE={} "
      "-DK_BLOCK={} -DRUN={} -DRUN_ACROSS={} -DTAPS_RUN={} -DGROUP={} -w{}{}",
      wide ? "double -DREAL_IS_DOUBLE" : "float", t.processor ? " -DPROCESSOR" : "", vec(dtype),
      t.tile_rows, t.group_a, t.group_b, t.slice, t.k_block, t.run, t.run_across, t.taps_run,
      t.group, !t.processor && is_processor(device_) ? " -cl-opt-disable" : "",
      FlushDenormals::active() ? " -cl-denorms-are-zero" : "");
}

// A scope that flushes denormal numbers has programs of its own, built with other options.
std::string Runtime::program_name(const char* family, DType dtype) {
  return fmt::format("{} {}{}", family, name_of(dtype),
                     FlushDenormals::active() ? " flushing" : "");
}

Runtime::LoadedKernel& Runtime::find(const char* family, DType dtype, const char* kernel) {
  const std::string program = program_name(family, dtype);
  const std::string kernel_name = fmt::format("{} {}", program, kernel);
  const auto found = kernels_.find(kernel_name);
  if (found != kernels_.end()) return found->second;
  auto built = programs_.find(program);
  if (built == programs_.end())
    built =
        programs_.emplace(program, build_program(name_, context_, device_, family, options(dtype)))
            .first;
  LoadedKernel known{cl::Kernel(built->second.program, kernel)};
  return kernels_.emplace(kernel_name, std::move(known)).first->second;
}

bool Runtime::rebuild(const char* family, DType dtype, const char* kernel) {
  const std::string program = program_name(family, dtype);
  const auto built = programs_.find(program);
  const auto known = kernels_.find(fmt::format("{} {}", program, kernel));
  if (built == programs_.end() || !built->second.from_cache) return false;
  if (known != kernels_.end() && known->second.has_run) return false;
  if (known != kernels_.end()) kernels_.erase(known);
  at_.clear();
  built->second = build_program(name_, context_, device_, family, options(dtype), /*fresh=*/true);
  return true;
}

void Runtime::check_process() const {
  if (fork_count() != forks_)
    throw DeviceError(fmt::format(
        "{}: this process is the child of a fork() that came after the device was opened, and a "
        "driver's threads exist only in the parent; fork before the first use of the device, or "
        "start a program of its own (exec)",
        name_));
}

void Runtime::add_time(const char* family, const char* kernel, const cl::Event& event) {
  event.wait();
  Time& time = times_[fmt::format("{}.cl {}", family, kernel)];
  ++time.runs;
  time.nanoseconds +=
      static_cast<std::int64_t>(event.getProfilingInfo<CL_PROFILING_COMMAND_END>() -
                                event.getProfilingInfo<CL_PROFILING_COMMAND_START>());
}

void Runtime::print_times() {
  if (times_.empty()) return;
  std::vector<std::pair<std::string, Time>> rows(times_.begin(), times_.end());
  times_.clear();
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
    return a.second.nanoseconds > b.second.nanoseconds;
  });
  std::int64_t all = 0;
  for (const auto& row : rows) all += row.second.nanoseconds;
  fmt::print(stderr, "\n{}: kernels by the device's clock, {:.3f} ms together\n", name_,
             1e-6 * static_cast<double>(all));
  fmt::print(stderr, "{:<32} {:>7} {:>11} {:>11} {:>7}\n", "kernel", "runs", "ms", "us a run",
             "share");
  for (const auto& [kernel, time] : rows)
    fmt::print(stderr, "{:<32} {:>7} {:>11.3f} {:>11.1f} {:>5.1f} %\n", kernel, time.runs,
               1e-6 * static_cast<double>(time.nanoseconds),
               1e-3 * static_cast<double>(time.nanoseconds) / static_cast<double>(time.runs),
               100 * static_cast<double>(time.nanoseconds) / static_cast<double>(all));
}

void Runtime::give_back(Staged& staged) {
  if (staged.mapped == nullptr || fork_count() != forks_) return;
  if (staged.sent() != nullptr) staged.sent.wait();
  mapping_.enqueueUnmapMemObject(staged.memory, staged.mapped);
  mapping_.finish();
  staged = {};
}

// At the end of the program there is nothing left to do: FinishAtExit came before.
Runtime::~Runtime() {
  try {
    for (Staged& staged : staged_) give_back(staged);
  } catch (const cl::Error&) {  // a device that was lost
  }
}

void Runtime::upload(const Buffer& to, const void* host, std::size_t bytes) {
  check_process();
  constexpr std::size_t largest = std::size_t{128} << 20;
  if (tuning_.processor || bytes > largest) {
    will_wait();
    queue_.enqueueWriteBuffer(to.memory, CL_TRUE, 0, bytes, host);
    return;
  }
  const std::lock_guard lock(upload_mutex_);
  Staged& staged = staged_[next_staged_++ % staged_.size()];
  if (staged.sent() != nullptr) staged.sent.wait();
  if (staged.bytes < bytes) {
    give_back(staged);
    staged.memory = cl::Buffer(context_, CL_MEM_ALLOC_HOST_PTR, bytes);
    if (mapping_() == nullptr) mapping_ = cl::CommandQueue(context_, device_);
    staged.mapped = mapping_.enqueueMapBuffer(staged.memory, CL_TRUE, CL_MAP_WRITE, 0, bytes);
    staged.bytes = bytes;
  }
  std::memcpy(staged.mapped, host, bytes);
  outstanding_ = true;
  queue_.enqueueWriteBuffer(to.memory, CL_FALSE, 0, bytes, staged.mapped, nullptr, &staged.sent);
  queue_.flush();
}

std::string Runtime::Launch::text() const {
  return fmt::format("kernel {} of {}.cl, {} x {} x {} groups of {} items", kernel, family,
                     groups[0], groups[1], groups[2], group);
}

std::vector<std::string> Runtime::kernels_not_run() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> all;
  for (const auto& [program_name, built] : programs_) {
    std::istringstream names(built.program.getInfo<CL_PROGRAM_KERNEL_NAMES>());  // "a;b;c"
    for (std::string name; std::getline(names, name, ';');) {
      std::string full = fmt::format("{} {}", program_name, name);
      if (!kernels_.contains(full)) all.push_back(std::move(full));
    }
  }
  for (const KernelSource& source : embedded_sources()) {
    const std::string name = source.name, text = source.text;
    if (name == "common" || text.find("kernel void") == std::string::npos) continue;
    const std::string begin = fmt::format("{} ", name);
    const auto first = programs_.lower_bound(begin);
    if (first == programs_.end() || !first->first.starts_with(begin)) all.push_back(name);
  }
  return all;
}

void Runtime::check_buffer(const Launch& launch, cl_uint index, const Buffer& buffer) {
  const std::string wrong = check_guards(queue_, buffer);
  if (!wrong.empty())
    throw DeviceError(
        fmt::format("{}: {}: outside of argument {}, {}", name_, launch.text(), index, wrong));
}

}  // namespace limulus::opencl

// The OpenCL backend's devices and memory.
#include "backends/opencl/opencl_backend.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "backends/opencl/devices.h"
#include "backends/opencl/limits.h"
#include "backends/opencl/runtime.h"
#include "backends/opencl/self_check.h"
#include "backends/opencl/tuning_store.h"
#include "core/buffer_pool.h"
#include "core/error.h"

namespace limulus {

using opencl::Buffer;

OpenClDevices opencl_devices(bool checked) {
  opencl::FoundDevices found = opencl::all_devices();
  OpenClDevices all{{}, std::move(found.troubles)};
  for (const cl::Device& device : found.devices) {
    OpenClDevice d{fmt::format("opencl:{}", all.devices.size()), "", {}, ""};
    try {
      d.description = opencl::describe_device(device);
      d.facts = opencl::facts_of(device);
      if (checked) {
        const OpenClBackend opened(d.name);
      }
    } catch (const cl::Error& error) {  // one broken driver does not hide the others
      d.refused = opencl::failure(d.name, "asking what it is", error).what();
    } catch (const DeviceError& error) {
      d.refused = error.what();
    }
    all.devices.push_back(std::move(d));
  }
  return all;
}

OpenClBackend::OpenClBackend(std::string name) : name_(std::move(name)) { start(nullptr); }

OpenClBackend::OpenClBackend(std::string name, const opencl::Tuning& tuning)
    : name_(std::move(name)) {
  start(&tuning);
}

void OpenClBackend::start(const opencl::Tuning* tuning) {
  const opencl::FoundDevice found = opencl::find_device(name_);
  description_ = opencl::describe_device(found.device);
  if (!found.note.empty()) description_ += "; " + found.note;
  try {
    const opencl::Limits limits = opencl::limits_of(found.device);
    runtime_ = std::make_unique<opencl::Runtime>(
        name_, found.device,
        tuning != nullptr ? *tuning : opencl::fitted(opencl::tuning_for(found.device), limits));
  } catch (const cl::Error& error) {
    throw opencl::failure(name_, "starting the device", error);
  }
  if (tuning != nullptr) return;  // the caller is trying these sizes, and checks the results
  const std::string wrong = opencl::self_check_result(*this, found.device);
  if (!wrong.empty()) {
    pool().trim();
    throw DeviceError(fmt::format(
        "{}: refused, as it failed the self-check: {}. Its driver: {}. Another version, or "
        "another driver, may compute correctly; LIMULUS_CL_SELFCHECK=0 uses this one anyway",
        name_, wrong, opencl::driver_of(found.device)));
  }
}

OpenClBackend::~OpenClBackend() { pool().trim(); }

std::string OpenClBackend::description() const { return description_; }

bool OpenClBackend::has_double() const { return runtime_->has_double(); }

void OpenClBackend::pretend_no_double() { runtime_->pretend_no_double(); }

std::vector<std::string> OpenClBackend::kernels_not_run() { return runtime_->kernels_not_run(); }

const opencl::Tuning& OpenClBackend::tuning() const { return runtime_->tuning(); }

std::string OpenClBackend::store_tuning(const opencl::Tuning& tuning) const {
  opencl::store_tuning(runtime_->device(), tuning);
  return opencl::tuning_path(runtime_->device()).string();
}

void* OpenClBackend::allocate(std::size_t bytes) {
  try {
    bytes = std::max<std::size_t>(bytes, 1);
    if (runtime_->guard() == opencl::Guard::strips)
      return new Buffer(
          opencl::make_guarded(runtime_->context(), runtime_->queue(), runtime_->device(), bytes));
    return new Buffer{cl::Buffer(runtime_->context(), CL_MEM_READ_WRITE, bytes)};
  } catch (const cl::Error& error) {
    const auto mebibytes = [](std::uint64_t b) { return b >> 20; };
    const cl::Device& device = runtime_->device();
    throw DeviceError(fmt::format(
        "{}: no memory for {} bytes ({} MiB): {}; the device has {} MiB, at most {} MiB in one "
        "piece, and this backend holds {} MiB; a smaller batch needs less",
        name_, bytes, mebibytes(bytes), opencl::error_name(error.err()),
        mebibytes(device.getInfo<CL_DEVICE_GLOBAL_MEM_SIZE>()),
        mebibytes(device.getInfo<CL_DEVICE_MAX_MEM_ALLOC_SIZE>()),
        mebibytes(pool().stats().held_bytes)));
  }
}

// The pool rounds sizes up; a guard must stand right behind the last byte that was asked for.
bool OpenClBackend::reuses(std::size_t) const { return runtime_->guard() != opencl::Guard::none; }

// Kernels that still use the memory keep it until they have run.
void OpenClBackend::deallocate(void* buffer, std::size_t) noexcept {
  delete static_cast<Buffer*>(buffer);
}

void OpenClBackend::upload(void* dst, const void* host, std::size_t bytes) {
  if (bytes == 0) return;  // either may be null when there is nothing
  try {
    runtime_->upload(*static_cast<Buffer*>(dst), host, bytes);
  } catch (const cl::Error& error) {
    throw opencl::failure(name_, "upload", error);
  }
}

void OpenClBackend::download(void* host, const void* src, std::size_t bytes) {
  if (bytes == 0) return;
  try {
    runtime_->will_wait();
    runtime_->queue().enqueueReadBuffer(static_cast<const Buffer*>(src)->memory, CL_TRUE, 0, bytes,
                                        host);
  } catch (const cl::Error& error) {
    throw opencl::failure(name_, "download", error);
  }
}

void OpenClBackend::synchronize() {
  try {
    runtime_->will_wait();
    runtime_->queue().finish();
  } catch (const cl::Error& error) {
    throw opencl::failure(name_, "waiting for the device", error);
  }
}

}  // namespace limulus

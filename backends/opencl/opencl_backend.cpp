// The OpenCL backend's devices and memory.
#include "backends/opencl/opencl_backend.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "backends/opencl/devices.h"
#include "backends/opencl/runtime.h"
#include "core/error.h"
#include "core/pool.h"

namespace limulus {

using opencl::Buffer;

std::vector<OpenClDevice> opencl_devices() {
  std::vector<OpenClDevice> all;
  for (const cl::Device& device : opencl::all_devices())
    all.push_back({fmt::format("opencl:{}", all.size()), opencl::describe_device(device)});
  return all;
}

OpenClBackend::OpenClBackend(std::string name) : name_(std::move(name)) {
  const cl::Device device = opencl::find_device(name_);
  description_ = opencl::describe_device(device);
  runtime_ = std::make_unique<opencl::Runtime>(name_, device);
}

OpenClBackend::~OpenClBackend() { pool().trim(); }

std::string OpenClBackend::description() const { return description_; }

void* OpenClBackend::allocate(std::size_t bytes) {
  try {
    return new Buffer{
        cl::Buffer(runtime_->context(), CL_MEM_READ_WRITE, std::max<std::size_t>(bytes, 1))};
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

// Kernels that still use the memory keep it until they have run.
void OpenClBackend::deallocate(void* buffer, std::size_t) noexcept {
  delete static_cast<Buffer*>(buffer);
}

// Both wait for their own end, as the caller's array may be gone afterwards.
void OpenClBackend::upload(void* dst, const void* host, std::size_t bytes) {
  if (bytes == 0) return;  // either may be null when there is nothing
  try {
    runtime_->queue().enqueueWriteBuffer(static_cast<Buffer*>(dst)->memory, CL_TRUE, 0, bytes,
                                         host);
  } catch (const cl::Error& error) {
    throw opencl::failure(name_, "upload", error);
  }
}

void OpenClBackend::download(void* host, const void* src, std::size_t bytes) {
  if (bytes == 0) return;
  try {
    runtime_->queue().enqueueReadBuffer(static_cast<const Buffer*>(src)->memory, CL_TRUE, 0, bytes,
                                        host);
  } catch (const cl::Error& error) {
    throw opencl::failure(name_, "download", error);
  }
}

void OpenClBackend::synchronize() {
  try {
    runtime_->queue().finish();
  } catch (const cl::Error& error) {
    throw opencl::failure(name_, "waiting for the device", error);
  }
}

}  // namespace limulus

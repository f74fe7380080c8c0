#include "backends/reference/reference_backend.h"

#include <cstring>
#include <new>
#include <utility>

#include "core/buffer_pool.h"
#include "core/error.h"

namespace limulus {
namespace {

constexpr std::align_val_t alignment{64};  // a cache line, as backend.h promises

}  // namespace

ReferenceBackend::ReferenceBackend(std::string name, bool traced)
    : name_(std::move(name)), traced_(traced) {}

ReferenceBackend::~ReferenceBackend() { pool().trim(); }

std::string ReferenceBackend::description() const {
  return "textbook loops on one thread: slow, and right";
}

void* ReferenceBackend::allocate(std::size_t bytes) {
  void* buffer = ::operator new(bytes, alignment, std::nothrow);
  if (buffer == nullptr) {
    throw DeviceError(name_ + ": no memory for " + std::to_string(bytes) +
                      " bytes; a smaller batch needs less, and so do fewer classes");
  }
  return buffer;
}

void ReferenceBackend::deallocate(void* buffer, std::size_t) noexcept {
  ::operator delete(buffer, alignment);
}

void ReferenceBackend::upload(void* dst, const void* host, std::size_t bytes) {
  if (bytes != 0) std::memcpy(dst, host, bytes);  // either may be null when there is nothing
}

void ReferenceBackend::download(void* host, const void* src, std::size_t bytes) {
  if (bytes != 0) std::memcpy(host, src, bytes);
}

}  // namespace limulus

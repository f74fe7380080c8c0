#include "core/buffer_pool.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "core/backend.h"
#include "core/error.h"

namespace limulus {

// Between two powers of two, p < bytes <= 2p, the classes are 1.25p, 1.5p, 1.75p and 2p. The
// smallest class is 256 bytes, so that each class is a multiple of the 64 bytes of a cache line.
std::size_t Pool::size_class(std::size_t bytes) {
  constexpr std::size_t smallest = 256;
  if (bytes <= smallest) return smallest;
  const std::size_t step = std::bit_floor(bytes - 1) / 4;
  if (bytes > std::numeric_limits<std::size_t>::max() - step) return bytes;  // allocate will refuse
  return (bytes + step - 1) / step * step;
}

Pool::Pool(Backend& backend) : backend_(backend), at_fork_(AtFork::Stage::memory, mutex_) {}

// A pool that its backend owns was emptied by that backend's destructor (see Backend::~Backend);
// this is for pools that stand alone.
Pool::~Pool() { trim(); }

std::size_t Pool::size_of(std::size_t bytes) const {
  return backend_.reuses(bytes) ? bytes : size_class(bytes);
}

void* Pool::take(std::size_t bytes) {
  const std::size_t size = size_of(bytes);
  {
    const std::lock_guard lock(mutex_);
    const auto waiting = free_.find(size);
    if (waiting != free_.end() && !waiting->second.empty()) {
      void* buffer = waiting->second.back();  // the last one given is likeliest still in cache
      waiting->second.pop_back();
      stats_.live_bytes += size;
      stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.live_bytes);
      return buffer;
    }
  }
  void* buffer = nullptr;
  try {
    buffer = backend_.allocate(size);
  } catch (const DeviceError&) {  // buffers of other classes may be what is missing
    trim();
    buffer = backend_.allocate(size);
  }
  const std::lock_guard lock(mutex_);
  if (!backend_.reuses(bytes)) ++stats_.allocations;
  stats_.live_bytes += size;
  stats_.held_bytes += size;
  stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.live_bytes);
  return buffer;
}

void Pool::give(void* buffer, std::size_t bytes) noexcept {
  if (buffer == nullptr) return;
  const std::size_t size = size_of(bytes);
  const bool at_once = backend_.reuses(bytes);
  if (at_once) backend_.deallocate(buffer, size);
  const std::lock_guard lock(mutex_);
  stats_.live_bytes -= size;
  if (at_once) {
    stats_.held_bytes -= size;
    return;
  }
  try {
    free_[size].push_back(buffer);
  } catch (...) {  // no memory to remember it with
    backend_.deallocate(buffer, size);
    stats_.held_bytes -= size;
  }
}

void Pool::trim() noexcept {
  const std::lock_guard lock(mutex_);
  for (const auto& [size, buffers] : free_) {
    for (void* buffer : buffers) {
      backend_.deallocate(buffer, size);
      stats_.held_bytes -= size;
    }
  }
  free_.clear();
}

PoolStats Pool::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace limulus

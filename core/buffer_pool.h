#pragma once
// A size-class free list of buffers, one per backend.
//
// Requests are rounded up to a size class (four per power of two, so at most a quarter is wasted)
// and a freed buffer waits in its class for the next request of that class. A training step asks
// for the same sizes as the step before it, so after the first step nothing is allocated. A backend
// that reuses memory in a better way (Backend::reuses) is asked, and given back to, each time.
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

#include "core/at_fork.h"

namespace limulus {

class Backend;

struct PoolStats {
  // Calls of Backend::allocate since the start, but for sizes that the backend reuses by itself.
  std::uint64_t allocations = 0;
  std::size_t live_bytes = 0;  // handed out now
  std::size_t held_bytes = 0;  // handed out or waiting
  std::size_t peak_bytes = 0;  // the most that was ever handed out at once
};

class Pool {
 public:
  explicit Pool(Backend& backend);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  void* take(std::size_t bytes);
  void give(void* buffer, std::size_t bytes) noexcept;  // `bytes` as in take
  void trim() noexcept;                                 // returns waiting buffers to the device
  PoolStats stats() const;

  static std::size_t size_class(std::size_t bytes);

 private:
  std::size_t size_of(std::size_t bytes) const;  // what is asked of the backend
  Backend& backend_;
  mutable std::mutex mutex_;
  std::map<std::size_t, std::vector<void*>> free_;
  PoolStats stats_;
  AtFork at_fork_;
};

// A buffer for the length of a scope: workspaces of kernels.
class Workspace {
 public:
  Workspace(Pool& pool, std::size_t bytes) : pool_(pool), bytes_(bytes), data_(pool.take(bytes)) {}
  ~Workspace() { pool_.give(data_, bytes_); }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  void* data() const { return data_; }

 private:
  Pool& pool_;
  std::size_t bytes_;
  void* data_;
};

}  // namespace limulus

#pragma once
// Where large buffers come from: one range of addresses, cut where a hole fits.
//
// A training step takes and gives back buffers of some forty different sizes. A free list per size
// (core/buffer_pool.h) never lets the memory of an activation that is gone serve a gradient of
// another size, so the process ends up holding the largest set of each size, though they never
// lived at one time. Here a freed buffer becomes a hole, neighbouring holes become one, and a
// request takes the smallest hole that holds it. Only what no hole can hold moves the end of the
// range: so the range is hardly longer than all that ever lived at one time.
//
// The range is as long as the machine's memory, but only addresses: the system gives it a page when
// one is first written to.
#include <cstddef>
#include <map>
#include <mutex>

#include "core/at_fork.h"

namespace limulus::cpu {

class Arena {
 public:
  // Below this, waste is small: the pool's classes.
  static constexpr std::size_t smallest = 1 << 20;
  static constexpr std::size_t page = 4096;  // every buffer begins at a multiple of this

  explicit Arena(std::size_t range);  // bytes; where the system refuses, nothing can be taken
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  void* take(std::size_t bytes);                        // null where there is no room
  void give(void* buffer, std::size_t bytes) noexcept;  // `bytes` as in take
  bool owns(const void* buffer) const { return buffer >= begin_ && buffer < begin_ + range_; }
  std::size_t used() const { return end_; }  // up to here it was ever taken

 private:
  std::mutex mutex_;
  char* begin_ = nullptr;
  std::size_t range_ = 0, end_ = 0;
  std::map<std::size_t, std::size_t> holes_;  // offset -> length, no two of them neighbours
  AtFork at_fork_;
};

}  // namespace limulus::cpu

#pragma once
// Where large buffers come from: one range of addresses, cut where a hole fits.
//
// A training step takes and gives back buffers of some forty sizes. With a free list per size
// (core/buffer_pool.h), the memory of a freed activation never serves a gradient of another size.
// So the process ends up holding the largest set of each size, though these sets never existed at
// one time. Here a freed buffer becomes a hole, neighbouring holes become one, and a request takes
// the smallest hole that fits. Only a request that fits no hole moves the end of the range, so the
// range is hardly longer than all buffers that ever existed at one time.
//
// The range is as long as the machine's memory, but at first it is only addresses: the system
// provides a page when one is first written to.
#include <cstddef>
#include <map>
#include <mutex>

#include "core/at_fork.h"

namespace limulus::cpu {

class Arena {
 public:
  // Smaller buffers come from the pool's size classes, whose waste is small.
  static constexpr std::size_t smallest = 1 << 20;
  static constexpr std::size_t page = 4096;  // every buffer begins at a multiple of this

  explicit Arena(std::size_t range);  // bytes; if the system refuses, take() returns null
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  void* take(std::size_t bytes);                        // null if there is no room
  void give(void* buffer, std::size_t bytes) noexcept;  // `bytes` as in take
  bool owns(const void* buffer) const { return buffer >= begin_ && buffer < begin_ + range_; }
  std::size_t used() const { return end_; }  // the furthest end of any buffer so far

 private:
  std::mutex mutex_;
  char* begin_ = nullptr;
  std::size_t range_ = 0, end_ = 0;
  std::map<std::size_t, std::size_t> holes_;  // offset -> length, no two of them neighbours
  AtFork at_fork_;
};

}  // namespace limulus::cpu

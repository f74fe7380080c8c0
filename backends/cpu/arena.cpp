#include "backends/cpu/arena.h"

#include <sys/mman.h>

#include <cstdlib>
#include <iterator>

namespace limulus::cpu {
namespace {

constexpr std::size_t huge_page = 2 << 20;

std::size_t rounded(std::size_t bytes, std::size_t unit) {
  return bytes / unit * unit + (bytes % unit != 0 ? unit : 0);
}

}  // namespace

Arena::Arena(std::size_t range) : at_fork_(AtFork::Stage::ranges, mutex_) {
  range = rounded(range, huge_page);
  void* there = mmap(nullptr, range + huge_page, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (there == MAP_FAILED) return;
  // Pages of 2 MiB, if the system has them: a sweep over weights then has 512 times fewer misses in
  // the processor's table of addresses (TLB). They must begin at multiples of their size.
  char* first = static_cast<char*>(there);
  const std::size_t skip =
      (huge_page - reinterpret_cast<std::size_t>(first) % huge_page) % huge_page;
  if (skip != 0) munmap(first, skip);
  if (skip != huge_page) munmap(first + skip + range, huge_page - skip);
  begin_ = first + skip;
  range_ = range;
  madvise(begin_, range_, MADV_HUGEPAGE);  // a hint, which the system may refuse
}

Arena::~Arena() {
  if (begin_ != nullptr) munmap(begin_, range_);
}

void* Arena::take(std::size_t bytes) {
  if (bytes > range_) return nullptr;
  const std::size_t size = rounded(bytes, page);
  const std::lock_guard lock(mutex_);
  auto best = holes_.end();
  for (auto hole = holes_.begin(); hole != holes_.end(); ++hole)
    if (hole->second >= size && (best == holes_.end() || hole->second < best->second)) best = hole;
  if (best != holes_.end()) {
    const auto [offset, length] = *best;
    holes_.erase(best);
    if (length > size) holes_.emplace(offset + size, length - size);
    return begin_ + offset;
  }
  // No hole fits, so take from the end. A hole that reaches the end is used first, and extended.
  std::size_t offset = end_;
  if (!holes_.empty()) {
    const auto last = std::prev(holes_.end());
    if (last->first + last->second == end_) {
      offset = last->first;
      if (size > range_ - offset) return nullptr;
      holes_.erase(last);
    }
  }
  if (size > range_ - offset) return nullptr;
  end_ = offset + size;
  return begin_ + offset;
}

void Arena::give(void* buffer, std::size_t bytes) noexcept {
  const std::size_t size = rounded(bytes, page);
  const auto offset = static_cast<std::size_t>(static_cast<char*>(buffer) - begin_);
  const std::lock_guard lock(mutex_);
  try {
    auto hole = holes_.emplace(offset, size).first;
    const auto next = std::next(hole);
    if (next != holes_.end() && offset + size == next->first) {
      hole->second += next->second;
      holes_.erase(next);
    }
    if (hole != holes_.begin()) {
      const auto before = std::prev(hole);
      if (before->first + before->second == offset) {
        before->second += hole->second;
        holes_.erase(hole);
      }
    }
  } catch (...) {  // no memory to record the hole: these addresses are lost
  }
}

}  // namespace limulus::cpu

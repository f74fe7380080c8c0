// The arena of large buffers: no two overlap, holes grow together, and memory is used again.
#include <doctest/doctest.h>

#include <cstring>
#include <vector>

#include "backends/cpu/arena.h"
#include "backends/cpu/cpu_backend.h"
#include "core/buffer_pool.h"
#include "core/rng.h"

using namespace limulus;
using cpu::Arena;

namespace {

constexpr std::size_t MiB = 1 << 20;

struct Block {
  unsigned char* at;
  std::size_t bytes;
  unsigned char mark;
};

bool intact(const Block& b) {
  return b.at[0] == b.mark && b.at[b.bytes / 2] == b.mark && b.at[b.bytes - 1] == b.mark;
}

}  // namespace

TEST_CASE("arena: a request takes the smallest hole that holds it") {
  Arena arena(64 * MiB);
  char* a = static_cast<char*>(arena.take(4 * MiB));
  void* wall1 = arena.take(MiB);
  char* b = static_cast<char*>(arena.take(2 * MiB));
  void* wall2 = arena.take(MiB);
  CHECK(arena.used() == 8 * MiB);
  arena.give(a, 4 * MiB);
  arena.give(b, 2 * MiB);
  CHECK(arena.take(2 * MiB) == b);
  CHECK(arena.take(2 * MiB) == a);
  CHECK(arena.take(2 * MiB) == a + 2 * MiB);
  CHECK(arena.used() == 8 * MiB);
  CHECK(arena.owns(wall1));
  CHECK(arena.owns(wall2));
  int elsewhere = 0;
  CHECK_FALSE(arena.owns(&elsewhere));
}

TEST_CASE("arena: neighbouring holes become one, in whatever order they are made") {
  for (const auto& order : {std::vector{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {2, 1, 0}}) {
    Arena arena(64 * MiB);
    void* blocks[3];
    for (void*& block : blocks) block = arena.take(MiB + 5);  // rounded up to pages
    void* wall = arena.take(MiB);
    for (const int i : order) arena.give(blocks[i], MiB + 5);
    CHECK(arena.take(3 * MiB) == blocks[0]);
    CHECK(wall != nullptr);
  }
}

TEST_CASE("arena: a hole at the end is the beginning of what comes next") {
  Arena arena(8 * MiB);
  void* first = arena.take(MiB);
  void* last = arena.take(2 * MiB);
  arena.give(last, 2 * MiB);
  CHECK(arena.take(7 * MiB) == last);
  CHECK(arena.take(MiB) == nullptr);  // full
  CHECK(arena.take(9 * MiB) == nullptr);
  arena.give(first, MiB);
  CHECK(arena.take(MiB) == first);
}

TEST_CASE("arena: ten thousand takes and gives, no byte shared, nothing lost") {
  Arena arena(256 * MiB);
  Rng rng(7);
  std::vector<Block> live;
  for (int i = 0; i < 10000; ++i) {
    if (live.empty() || rng.below(5) < 2) {
      const std::size_t bytes = MiB + rng.below(8 * MiB);
      auto* at = static_cast<unsigned char*>(arena.take(bytes));
      if (at == nullptr) continue;
      const auto mark = static_cast<unsigned char>(1 + rng.below(255));
      for (const std::size_t place : {std::size_t{0}, bytes / 2, bytes - 1}) at[place] = mark;
      live.push_back({at, bytes, mark});
    } else {
      const std::size_t chosen = rng.below(live.size());
      REQUIRE(intact(live[chosen]));
      arena.give(live[chosen].at, live[chosen].bytes);
      live.erase(live.begin() + static_cast<std::ptrdiff_t>(chosen));
    }
  }
  for (const Block& b : live) {
    REQUIRE(intact(b));
    arena.give(b.at, b.bytes);
  }
  CHECK(arena.take(256 * MiB) != nullptr);  // all holes have become one
}

TEST_CASE("arena: a range that the system refuses is an arena without room") {
  Arena arena(std::size_t{1} << 62);
  CHECK(arena.take(MiB) == nullptr);
}

TEST_CASE("cpu: large buffers are held only while they are in use") {
  if (cpu_instruction_set().empty()) {
    MESSAGE("skipped: the processor has no AVX2");
    return;
  }
  CpuBackend backend(1);
  if (!backend.reuses(8 * MiB)) {
    MESSAGE("skipped: built with a sanitizer, which watches malloc instead of the arena");
    return;
  }
  Pool& pool = backend.pool();
  void* a = pool.take(8 * MiB + 1);
  CHECK(pool.stats().live_bytes == 8 * MiB + 1);
  CHECK(pool.stats().held_bytes == 8 * MiB + 1);
  pool.give(a, 8 * MiB + 1);
  CHECK(pool.stats().live_bytes == 0);
  CHECK(pool.stats().held_bytes == 0);
  void* b = pool.take(5 * MiB);  // another size, in the same place
  CHECK(b == a);
  pool.give(b, 5 * MiB);
}

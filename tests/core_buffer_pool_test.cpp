// The free list of buffers: size classes, reuse, what it counts, and use from several threads.
#include "core/buffer_pool.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "core/backend.h"
#include "core/error.h"

using namespace limulus;

namespace {

// Counts its calls, refuses to hold more than `limit` bytes, and knows which buffers it handed out.
class CountingBackend final : public Backend {
 public:
  ~CountingBackend() override { pool().trim(); }
  std::string name() const override { return "counting"; }
  std::string description() const override { return "for tests"; }
  void* allocate(std::size_t bytes) override {
    const std::lock_guard lock(mutex_);
    if (bytes > limit || held + bytes > limit) throw DeviceError("counting: out of memory");
    held += bytes;
    ++allocations;
    void* buffer = std::malloc(bytes);
    buffers_.insert(buffer);
    return buffer;
  }
  void deallocate(void* buffer, std::size_t bytes) noexcept override {
    const std::lock_guard lock(mutex_);
    strangers += buffers_.erase(buffer) == 0;
    held -= bytes;
    std::free(buffer);
  }
  bool host_memory() const override { return true; }
  void upload(void*, const void*, std::size_t) override {}
  void download(void*, const void*, std::size_t) override {}

  std::size_t held = 0, limit = std::size_t{1} << 30;
  int allocations = 0, strangers = 0;

 private:
  std::mutex mutex_;
  std::set<void*> buffers_;
};

}  // namespace

TEST_CASE("size classes: four per power of two, at most a quarter wasted") {
  CHECK(Pool::size_class(0) == 256);
  CHECK(Pool::size_class(256) == 256);
  CHECK(Pool::size_class(257) == 320);
  CHECK(Pool::size_class(320) == 320);
  CHECK(Pool::size_class(449) == 512);
  CHECK(Pool::size_class(512) == 512);
  CHECK(Pool::size_class(1025) == 1280);
  std::set<std::size_t> classes;
  for (std::size_t bytes = 4097; bytes <= 8192; ++bytes) {
    const std::size_t size = Pool::size_class(bytes);
    REQUIRE(size >= bytes);
    REQUIRE(size - bytes <= bytes / 4);
    REQUIRE(size % 64 == 0);
    REQUIRE(Pool::size_class(size) == size);
    classes.insert(size);
  }
  CHECK(classes.size() == 4);
}

TEST_CASE("the size class of an absurd request does not wrap around") {
  CHECK(Pool::size_class(SIZE_MAX) == SIZE_MAX);
  CHECK(Pool::size_class(SIZE_MAX / 2) >= SIZE_MAX / 2);
  CountingBackend backend;
  CHECK_THROWS_AS(backend.pool().take(SIZE_MAX), DeviceError);
  CHECK(backend.pool().stats().live_bytes == 0);
}

TEST_CASE("a buffer that was given back serves the next request of its class") {
  CountingBackend backend;
  Pool& pool = backend.pool();
  void* first = pool.take(1000);
  pool.give(first, 1000);
  CHECK(pool.take(900) == first);  // 900 and 1000 are both of class 1024
  void* second = pool.take(1000);
  CHECK(second != first);
  CHECK(backend.allocations == 2);
  void* other = pool.take(2000);
  CHECK(backend.allocations == 3);
  pool.give(first, 900);
  pool.give(second, 1000);
  pool.give(other, 2000);
  CHECK(pool.take(1000) == second);  // the last one given comes first
  pool.give(second, 1000);
}

TEST_CASE("a repeated step allocates nothing") {
  CountingBackend backend;
  const auto step = [&] {
    const Workspace a(backend.pool(), 10'000), b(backend.pool(), 10'000);
    const Workspace c(backend.pool(), 333);
  };
  step();
  CHECK(backend.pool().stats().allocations == 3);
  for (int i = 0; i < 10; ++i) step();
  CHECK(backend.pool().stats().allocations == 3);
  CHECK(backend.allocations == 3);
}

TEST_CASE("the pool counts what is out, what is held, and the most that was out") {
  CountingBackend backend;
  Pool& pool = backend.pool();
  void* a = pool.take(1024);
  void* b = pool.take(2048);
  CHECK(pool.stats().live_bytes == 3072);
  CHECK(pool.stats().held_bytes == 3072);
  pool.give(b, 2048);
  CHECK(pool.stats().live_bytes == 1024);
  CHECK(pool.stats().held_bytes == 3072);
  pool.trim();
  CHECK(pool.stats().held_bytes == 1024);
  CHECK(backend.held == 1024);
  pool.give(a, 1024);
  pool.give(nullptr, 4096);  // nothing
  CHECK(pool.stats().live_bytes == 0);
  CHECK(pool.stats().peak_bytes == 3072);
  pool.trim();
  CHECK(backend.held == 0);
  CHECK(backend.strangers == 0);
}

TEST_CASE("when memory is short, waiting buffers of other classes are returned first") {
  CountingBackend backend;
  backend.limit = 4096;
  Pool& pool = backend.pool();
  pool.give(pool.take(3000), 3000);  // waits, and fills most of the memory
  void* other = pool.take(4000);
  CHECK(other != nullptr);
  CHECK_THROWS_AS(pool.take(1), DeviceError);
  CHECK(pool.stats().live_bytes == 4096);
  CHECK(pool.stats().held_bytes == 4096);
  pool.give(other, 4000);
}

TEST_CASE("a buffer is handed to one thread at a time") {
  CountingBackend backend;
  const auto work = [&](int thread) {
    for (int round = 0; round < 2000; ++round) {
      const std::size_t bytes = 256 + static_cast<std::size_t>(round % 3) * 100;
      const Workspace workspace(backend.pool(), bytes);
      auto* mine = static_cast<volatile int*>(workspace.data());
      *mine = thread;
      if (round % 16 == 0) std::this_thread::yield();
      if (round % 500 == 0) backend.pool().trim();
      if (*mine != thread) return false;
    }
    return true;
  };
  bool fine[4] = {};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) threads.emplace_back([&, t] { fine[t] = work(t); });
  for (std::thread& thread : threads) thread.join();
  for (const bool ok : fine) CHECK(ok);
  CHECK(backend.pool().stats().live_bytes == 0);
  backend.pool().trim();
  CHECK(backend.held == 0);
  CHECK(backend.strangers == 0);
}

// After fork() the child has one thread and a copy of all locks. What computes in host memory goes
// on there; an OpenCL device, whose driver's threads stay behind, says so.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "backends/cpu/cpu_backend.h"
#include "backends/queued.h"
#include "backends/registry.h"
#include "core/buffer_pool.h"
#include "core/error.h"
#include "training/data/image_cache.h"
#include "training/data/loader.h"
#include "training_sets.h"
#ifdef LIMULUS_OPENCL
#include "opencl_check.h"
#endif

using namespace limulus;

namespace {

// What a child does after fork(): "right", or what went wrong. One that hangs is ended.
std::string in_child(const std::function<bool()>& work, void (*leave)(int) = _exit) {
  std::fflush(nullptr);  // or the child prints it, too
  std::cout.flush();
  const pid_t child = fork();
  if (child == 0) {
    bool right = false;
    try {
      right = work();
    } catch (...) {
    }
    leave(right ? 0 : 1);
  }
  if (child < 0) return "no fork";
  int status = 0;
  for (int tenths = 0; waitpid(child, &status, WNOHANG) == 0; ++tenths) {
    if (tenths == 600) {
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
      return "hangs";
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  if (WIFSIGNALED(status)) return fmt::format("signal {}", WTERMSIG(status));
  return WEXITSTATUS(status) == 0 ? "right" : "wrong";
}

// y = 2 x + 1 and a product, large enough for all threads: whether both are right.
bool computes(Backend& backend) {
  constexpr std::int64_t n = 1 << 19, side = 256;
  std::vector<float> x(n), y(n);
  for (std::int64_t i = 0; i < n; ++i) x[static_cast<std::size_t>(i)] = static_cast<float>(i % 7);
  const Workspace a(backend.pool(), 4 * n), b(backend.pool(), 4 * n), c(backend.pool(), 4 * n);
  backend.upload(a.data(), x.data(), 4 * n);
  backend.affine(DType::f32, n, 2, 1, a.data(), b.data());
  backend.fill(DType::f32, n, 1, a.data());
  const GemmShape product{side, side, side, false, false, side, side, side, 0};
  backend.gemm(DType::f32, product, a.data(), a.data(), c.data());
  backend.download(y.data(), b.data(), 4 * n);
  for (std::int64_t i = 0; i < n; ++i)
    if (y[static_cast<std::size_t>(i)] != static_cast<float>(2 * (i % 7) + 1)) return false;
  backend.download(y.data(), c.data(), 4 * side * side);
  for (std::int64_t i = 0; i < side * side; ++i)
    if (y[static_cast<std::size_t>(i)] != side) return false;
  return true;
}

}  // namespace

TEST_CASE("the child of a fork computes on, and so does its parent") {
  CpuBackend backend(3);
  REQUIRE(computes(backend));
  for (int i = 0; i < 3; ++i) {
    CHECK(in_child([&] { return computes(backend); }) == "right");
    CHECK(computes(backend));
  }
  CHECK(in_child([&] { return computes(device("cpu")); }, std::exit) == "right");
  CHECK(in_child([&] {  // and a child's child; and a backend of its own
          CpuBackend own(2);
          return computes(own) && in_child([&] { return computes(backend); }) == "right";
        }) == "right");
}

TEST_CASE("a program may end while threads compute, or wait for something to compute") {
  CpuBackend backend(3);
  for (void (*leave)(int) :
       {+[](int status) { std::exit(status); }, +[](int status) { std::quick_exit(status); }}) {
    CHECK(in_child([&] { return computes(backend); }, leave) == "right");
    CHECK(in_child(
              [&] {
                static std::atomic<bool> begun = false;  // it outlives this function
                std::thread([&] {
                  for (;; begun = true)
                    if (!computes(backend)) _exit(1);
                }).detach();
                while (!begun) std::this_thread::yield();
                return true;
              },
              leave) == "right");
  }
}

TEST_CASE("a fork while other threads compute") {
  CpuBackend backend(2);
  std::atomic<bool> stop = false, right = true;
  std::vector<std::thread> others;
  for (int i = 0; i < 2; ++i)
    others.emplace_back([&] {
      while (!stop) right = right && computes(backend);
    });
  for (int i = 0; i < 10; ++i) CHECK(in_child([&] { return computes(backend); }) == "right");
  stop = true;
  for (std::thread& other : others) other.join();
  CHECK(right);
}

TEST_CASE("a queue, with commands under way or without") {
  Backend& half = device("cpu:0/2");
  CHECK(in_child([&] { return computes(half); }) == "right");  // its thread was not started yet
  REQUIRE(computes(half));
  for (int i = 0; i < 5; ++i) {
    constexpr std::int64_t n = 1 << 22;
    const Workspace x(half.pool(), 4 * n);
    for (int k = 0; k < 20; ++k) half.fill(DType::f32, n, k, x.data());
    CHECK(in_child([&] {
            std::vector<float> last(n);
            half.download(last.data(), x.data(), 4 * n);
            return last.front() == 19 && last.back() == 19 && computes(half);
          }) == "right");
    CHECK(computes(half));
  }
  CHECK(in_child([&] { return computes(half); }, std::exit) == "right");
}

TEST_CASE("a queue of the child's that ends, started or not") {
  auto* queue = new QueuedBackend(std::make_unique<CpuBackend>(2));
  REQUIRE(computes(*queue));
  CHECK(in_child([&] {
          delete queue;
          return true;
        }) == "right");
  CHECK(in_child([&] {
          const bool right = computes(*queue);
          delete queue;
          return right;
        }) == "right");
  delete queue;
}

TEST_CASE("a loader in the middle of an epoch gives the child the same batches") {
  const auto cache = std::make_shared<ImageCache>(noise_set(60, 12), Prepare{.short_side = 0});
  for (const int workers : {0, 1, 3}) {
    CAPTURE(workers);
    Loader loader(cache, {.crop = 9}, {}, {.batch = 8, .workers = workers, .seed = 4});
    std::vector<std::vector<std::int64_t>> order;
    Batch batch;
    loader.start(1);
    while (loader.next(batch)) order.push_back(batch.sources);
    REQUIRE(order.size() == 8);
    loader.start(1);
    for (int b = 0; b < 3; ++b) REQUIRE(loader.next(batch));
    const auto rest_is_right = [&] {
      std::size_t b = 3;
      for (; loader.next(batch); ++b)
        if (b >= order.size() || batch.sources != order[b]) return false;
      return b == order.size();
    };
    CHECK(in_child(rest_is_right) == "right");
    CHECK(in_child([&] {  // another epoch of the child's
            loader.start(1, 3);
            return rest_is_right();
          }) == "right");
    CHECK(rest_is_right());
  }
}

#ifdef LIMULUS_OPENCL
TEST_CASE("an OpenCL device that was opened before the fork says so") {
  if (!have_device()) return;
  Backend& opencl = device("opencl:0");
  REQUIRE(computes(opencl));
  const auto refused = [](const std::function<void()>& work) {
    try {
      work();
    } catch (const DeviceError& error) {
      return std::strstr(error.what(), "fork") != nullptr;
    }
    return false;
  };
  const Workspace x(opencl.pool(), 1024);
  float host[256] = {};
  CHECK(in_child([&] {
          return refused([&] { opencl.fill(DType::f32, 256, 1, x.data()); }) &&
                 refused([&] { opencl.upload(x.data(), host, sizeof(host)); }) &&
                 refused([&] { opencl.download(host, x.data(), sizeof(host)); }) &&
                 refused([&] { opencl.synchronize(); }) &&
                 refused([&] { opencl.pool().take(123'456'789); }) && computes(device("cpu"));
        }) == "right");
  CHECK(in_child([&] { return refused([&] { computes(opencl); }); }, std::exit) == "right");
  CHECK(computes(opencl));
}
#endif

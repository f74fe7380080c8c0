// A program may end while a device still computes: what was ordered is done first, and only then do
// the destructors of a driver run. PoCL compiles a kernel when it runs for the first time; with
// nothing in its cache, that is long after the program has left main.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <thread>

#include "backends/queued.h"
#include "backends/registry.h"
#include "core/buffer_pool.h"
#include "gradcheck/cases/host_backend.h"
#include "temporary_folder.h"

using namespace limulus;

namespace {

void sleep_a_while() { std::this_thread::sleep_for(std::chrono::milliseconds(700)); }

// This program again, with one case of those below and nothing in any cache; its exit status, and
// in `text` the file "done", if it has made one.
int run_again(const std::string& test_case, std::string* text = nullptr) {
  const TemporaryFolder folder;
  const std::string where = folder.path.string();
  const std::string command = fmt::format(
      "cd '{0}' && XDG_CACHE_HOME='{0}' POCL_CACHE_DIR='{0}' '{1}' --no-skip -tc='{2}' >log 2>&1",
      where, std::filesystem::canonical("/proc/self/exe").string(), test_case);
  const int status = std::system(command.c_str());
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  if (code != 0) MESSAGE(get_bytes(folder / "log"));
  if (text != nullptr) *text = get_bytes(folder / "done");
  return code;
}

struct SlowBackend : HostBackend {
  SlowBackend() : HostBackend("slow") {}
  void fill(DType, std::int64_t, double, void*) override {
    sleep_a_while();
    put_bytes(std::filesystem::absolute("done"), "yes");
  }
};

}  // namespace

TEST_CASE("child: a queue" * doctest::skip()) {
  static QueuedBackend& queue = *new QueuedBackend(std::make_unique<SlowBackend>());
  queue.fill(DType::f32, 1, 1, nullptr);
}

TEST_CASE("a queue is finished before the program ends") {
  std::string done;
  CHECK(run_again("child: a queue", &done) == 0);
  CHECK(done == "yes");
}

#ifdef LIMULUS_OPENCL
#include "opencl_check.h"

namespace {

// Operations with a kernel each, and nobody who waits for them. Before the device is there, a
// handler is registered that takes its time; so it runs after the driver's destructors, and what
// still computes then, without them, has the time to fail.
void order_work() {
  std::atexit(sleep_a_while);
  Backend& backend = device("opencl:0");
  constexpr std::int64_t n = 1 << 20;
  void *x = backend.pool().take(4 * n), *y = backend.pool().take(4 * n);
  backend.fill(DType::f32, n, 1, x);
  backend.affine(DType::f32, n, 2, 1, x, y);
  for (const UnaryOp op : {UnaryOp::relu, UnaryOp::tanh, UnaryOp::sigmoid})
    backend.unary(DType::f32, op, n, x, y);
  backend.pool().give(x, 4 * n), backend.pool().give(y, 4 * n);  // used by what comes later only
}

}  // namespace

TEST_CASE("child: leaves main" * doctest::skip()) { order_work(); }

TEST_CASE("child: leaves by std::exit" * doctest::skip()) {
  device("cpu:0/2");  // a queue that was there before the driver
  order_work();
  std::exit(0);
}

TEST_CASE("a program may end while kernels are compiled and run") {
  if (!have_device()) return;
  for (int i = 0; i < 2; ++i) {
    CHECK(run_again("child: leaves main") == 0);
    CHECK(run_again("child: leaves by std::exit") == 0);
  }
}
#endif

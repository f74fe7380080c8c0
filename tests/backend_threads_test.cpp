// What many threads may do at once: look for devices, add them, trace, take memory, compute. Run
// under the thread sanitizer it finds what is read without a lock.
#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "backends/reference/reference_backend.h"
#include "backends/registry.h"
#include "core/algebra.h"
#include "core/buffer_pool.h"
#include "core/error.h"
#include "core/note.h"
#include "core/trace.h"

using namespace limulus;

namespace {

// Runs each task on a thread of its own, all from the same moment on.
void at_once(const std::vector<std::function<void()>>& tasks) {
  std::atomic<bool> go{false};
  std::vector<std::thread> threads;
  for (const auto& task : tasks)
    threads.emplace_back([&go, &task] {
      while (!go) std::this_thread::yield();
      task();
    });
  go = true;
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

TEST_CASE("devices are listed, looked up and refused while others are added") {
  constexpr int rounds = 200;
  std::atomic<int> seen{0}, refused{0};
  const auto list = [&] {
    for (int i = 0; i < 40; ++i)
      for (const DeviceInfo& d : list_devices()) seen += d.description.empty() ? 0 : 1;
  };
  const auto add = [&](const std::string& prefix) {
    for (int i = 0; i < rounds; ++i)
      add_device(std::make_unique<ReferenceBackend>(prefix + std::to_string(i)));
  };
  const auto refuse = [&] {
    for (int i = 0; i < 20; ++i) try {
        device("nobody" + std::to_string(i));
      } catch (const DeviceError&) {
        ++refused;
      }
  };
  const auto look_up = [] {
    for (int i = 0; i < 100; ++i) device("cpu:0/" + std::to_string(1 + i % 4)).description();
  };
  at_once({list, list, look_up, refuse, [&] { add("one"); }, [&] { add("two"); }});
  CHECK(seen > 0);
  CHECK(refused == 20);
  CHECK(device("two" + std::to_string(rounds - 1)).name() == "two" + std::to_string(rounds - 1));
  int added = 0;
  for (const DeviceInfo& d : list_devices()) added += d.name.starts_with("one") ? 1 : 0;
  CHECK(added == rounds);
}

TEST_CASE("threads that compute on one backend, while somebody listens and stops listening") {
  std::atomic<int> events{0}, notes{0};
  std::vector<std::function<void()>> tasks;
  for (int t = 0; t < 4; ++t)
    tasks.emplace_back([t] {
      Backend& backend = device(t % 2 == 0 ? "reference" : "cpu:1/3");
      for (int i = 0; i < 50; ++i) {
        const Tensor x = Tensor::full({3, 5}, t, DType::f32, backend);
        const TraceScope scope("thread");
        if (sum(x * x).item() != 15.0 * t * t) throw Error("a wrong sum");
        note("thread " + std::to_string(t));
      }
    });
  tasks.emplace_back([&] {
    for (int i = 0; i < 50; ++i) {
      set_trace_sink([&](const TraceEvent&) { ++events; });
      set_note_sink([&](const std::string&) { ++notes; });
      std::this_thread::yield();
      set_trace_sink({});
      set_note_sink({});
    }
  });
  tasks.emplace_back([] {
    for (int i = 0; i < 200; ++i)
      if (device("reference").pool().stats().held_bytes > (1U << 30)) throw Error("a leak");
  });
  at_once(tasks);
  const int heard = events;
  sum(Tensor::full({2}, 1, DType::f32, device("reference")));
  CHECK(events == heard);  // nobody listens any more
}

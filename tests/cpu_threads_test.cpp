// The threads of the CPU backend (backends/cpu/threads.h): every task once, whoever comes to help.
#include "backends/cpu/threads.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "backends/cpu/cpu_backend.h"
#include "core/buffer_pool.h"

using namespace limulus;

namespace {

// f(task, thread) as a region.
template <class F>
void share(cpu::Team& team, std::int64_t tasks, int threads, const F& f) {
  team.share(
      tasks, threads,
      [](const void* body, std::int64_t task, int thread) {
        (*static_cast<const F*>(body))(task, thread);
      },
      &f);
}

void sleep_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

// Regions of all sizes; whether each task ran once, on a thread number of its own.
bool all_tasks_run_once(cpu::Team& team, int threads, int regions) {
  bool right = true;
  for (int region = 0; region < regions; ++region) {
    const int tasks = region % 70;
    std::vector<int> runs(static_cast<std::size_t>(tasks));  // not atomic: tasks are apart
    std::vector<std::atomic<int>> at_work(static_cast<std::size_t>(threads));
    std::atomic<bool> alone = true;
    share(team, tasks, threads, [&](std::int64_t task, int thread) {
      const bool known = thread >= 0 && thread < threads;
      if (!known || at_work[static_cast<std::size_t>(thread)].fetch_add(1) != 0) alone = false;
      ++runs[static_cast<std::size_t>(task)];
      if (known) at_work[static_cast<std::size_t>(thread)].fetch_sub(1);
    });
    right = right && alone && runs == std::vector<int>(runs.size(), 1);
  }
  return right;
}

}  // namespace

TEST_CASE("each task runs once, on a thread number that nobody else has") {
  for (const int threads : {1, 2, 3, 5, 16}) {
    CAPTURE(threads);
    cpu::Team team;
    CHECK(all_tasks_run_once(team, threads, 2000));
  }
  cpu::Team team;  // a team that grows and shrinks
  for (const int threads : {2, 7, 1, 3, 2000}) CHECK(all_tasks_run_once(team, threads, 100));
}

TEST_CASE("helpers that have gone to sleep are woken") {
  cpu::Team team;
  for (int i = 0; i < 30; ++i) {
    std::atomic<int> others = 0;
    // The calling thread waits for somebody else, who may be long in coming on a machine at work.
    int patience = 30'000;
    share(team, 20, 2, [&](std::int64_t, int thread) {
      if (thread != 0) ++others;
      for (; thread == 0 && others == 0 && patience > 0; --patience) sleep_ms(1);
    });
    CHECK(others > 0);
    sleep_ms(2);
  }
}

TEST_CASE("a region waits for tasks, and for nobody who has none") {
  // A helper is held up in one region; others of the same team go on without it.
  cpu::Team team;
  std::atomic<bool> held = false, release = false;
  std::thread other([&] {
    share(team, 2, 2, [&](std::int64_t, int thread) {
      if (thread == 0) {
        while (!held) sleep_ms(1);  // the other task is the helper's
      } else {
        held = true;
        while (!release) sleep_ms(1);
      }
    });
  });
  while (!held) sleep_ms(1);
  CHECK(all_tasks_run_once(team, 2, 200));
  release = true;
  other.join();
}

TEST_CASE("several threads share a team, more than it has regions for") {
  cpu::Team team;
  std::atomic<int> right = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < 12; ++i)
    callers.emplace_back([&] { right += all_tasks_run_once(team, 3, 300) ? 1 : 0; });
  for (std::thread& caller : callers) caller.join();
  CHECK(right == 12);
}

TEST_CASE("a region within a task is done by its thread") {
  cpu::Team team, another;
  std::atomic<int> inner = 0, wrong = 0;
  share(team, 40, 4, [&](std::int64_t, int) {
    const auto here = std::this_thread::get_id();
    for (cpu::Team* each : {&team, &another})
      share(*each, 10, 4, [&](std::int64_t, int thread) {
        ++inner;
        if (thread != 0 || std::this_thread::get_id() != here) ++wrong;
      });
  });
  CHECK(inner == 800);
  CHECK(wrong == 0);
  CHECK(another.regions() == 0);
}

TEST_CASE("what a task throws is thrown by the caller, once, and the team goes on") {
  cpu::Team team;
  for (const int threads : {1, 2, 4})
    for (const int bad : {0, 17, 99}) {
      std::atomic<int> done = 0;
      const auto region = [&] {
        share(team, 100, threads, [&](std::int64_t task, int) {
          if (task == bad) throw std::runtime_error("task " + std::to_string(task));
          ++done;
        });
      };
      CHECK_THROWS_WITH_AS(region(), ("task " + std::to_string(bad)).c_str(), std::runtime_error);
      CHECK(done < 100);
      CHECK(all_tasks_run_once(team, threads, 50));
    }
  // Everybody throws: one exception comes out.
  const auto all_throw = [&] {
    share(team, 100, 4, [](std::int64_t, int) { throw std::runtime_error("any"); });
  };
  CHECK_THROWS_WITH_AS(all_throw(), "any", std::runtime_error);
  CHECK(all_tasks_run_once(team, 4, 50));
}

TEST_CASE("small work invites nobody") {
  CpuBackend backend(2);
  constexpr std::int64_t small = 4096, large = 1 << 20;
  const Workspace x(backend.pool(), 4 * large), y(backend.pool(), 4 * large);
  backend.fill(DType::f32, large, 1, x.data());
  const std::uint64_t before = backend.shared_regions();
  for (int i = 0; i < 10; ++i) backend.affine(DType::f32, small, 2, 1, x.data(), y.data());
  CHECK(backend.shared_regions() == before);
  backend.affine(DType::f32, large, 2, 1, x.data(), y.data());
  CHECK(backend.shared_regions() == before + 1);
}

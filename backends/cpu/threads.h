#pragma once
// The threads of a CPU backend: one function that shares the tasks of a kernel among them.
//
// A *region* is a loop of a kernel whose tasks are shared. The calling thread takes tasks like
// every other thread. The others, its helpers, are started when they are first needed, and wait for
// regions. How they wait, and who waits for them, decides how fast a network is on a machine that
// other programs use too (docs/performance/busy.md):
//
//   * A region ends when every task that somebody has taken is done. A helper that got no core
//     until then finds nothing left to do, and nobody has waited for it.
//   * Tasks are taken one at a time, so a helper that loses its core holds up one task.
//   * A thread that must wait spins for a short time, since the next region usually comes soon, and
//     waking a sleeping thread costs as much as a small region. Then it sleeps, since a spinning
//     thread takes its core from one that computes. If other programs want the cores, it sleeps at
//     once.
#include <cstdint>
#include <memory>

#include "backends/finish_at_exit.h"
#include "core/at_fork.h"

namespace limulus::cpu {

// A task of a region. `body` is the kernel's own; `thread` is in [0, threads), and no two tasks
// that run at the same time have the same one.
using Task = void (*)(const void* body, std::int64_t task, int thread);

class Team {
 public:
  Team();
  ~Team();  // no region may be under way
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  // Calls run(body, i, thread) for each i in [0, tasks), on this thread, which is thread 0, and on
  // up to threads - 1 helpers; returns when all have returned. The first exception of a task is
  // thrown here, and tasks that nobody has taken by then are left out. Several threads may call at
  // the same time; they share the helpers. A region within a task is done by the thread of that
  // task alone.
  //
  // The child of a fork() has helpers of its own (only a task must not fork). Helpers end when the
  // program leaves main or calls exit(); from then on the caller works alone.
  void share(std::int64_t tasks, int threads, Task run, const void* body);

  std::uint64_t regions() const;  // how many regions invited helpers

 private:
  struct State;
  void stop() noexcept;
  std::unique_ptr<State> state_;
  AtFork at_fork_;
  FinishAtExit finish_at_exit_;
};

}  // namespace limulus::cpu

#pragma once
// What to do around fork(). A child process has one thread, the one that called fork(): locks that
// other threads held stay locked in it for ever, and those threads are gone. So a class that has
// locks or threads registers what to do before a fork, and after it on either side.
#include <cstdint>
#include <functional>
#include <mutex>

namespace limulus {

class AtFork {
 public:
  // The order before a fork: one that waits for work comes before those whose locks it takes.
  enum class Stage { work, memory, ranges };
  struct Steps {
    std::function<void()> before;  // in the parent: take locks, so that nobody is halfway
    std::function<void()> parent;  // in the parent, afterwards: release them
    std::function<void()> child;   // in the child: release them, make anew what is gone
  };

  // While it lives, the steps are taken around each fork(). They must not throw.
  AtFork(Stage stage, Steps steps);
  // The same for a lock by itself: taken before, released after, on either side.
  AtFork(Stage stage, std::mutex& mutex);
  ~AtFork();
  AtFork(const AtFork&) = delete;
  AtFork& operator=(const AtFork&) = delete;

 private:
  friend struct ForkList;
  Stage stage_;
  Steps steps_;
};

// How many forks lie between the program's first process and this one. What remembers the number
// with which it was made knows whether its threads, or its driver's, are in this process.
std::uint64_t fork_count();

}  // namespace limulus

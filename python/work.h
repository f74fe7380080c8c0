#pragma once
// Who may touch what, and when: Python's lock (the GIL), and a lock of the bindings' own.
//
// A kernel runs for milliseconds or seconds, and other Python threads should go on meanwhile. So
// whatever computes gives the GIL back first. But handles on tensors are plain C++: two threads
// that add to one `grad` at a time would destroy it. So whatever computes takes a second lock, and
// of all Python threads one computes at a time, with all the threads of its device.
//
//     waiting for Python's lock while holding ours never happens,
//
// which is why no two threads can wait for each other: a callback gives our lock back before it
// takes the GIL (Calling), and a Python object that is no longer needed while we compute is
// released a moment later (kept).
#include <nanobind/nanobind.h>

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "core/at_fork.h"

namespace limulus::python {

namespace nb = nanobind;

// The lock of all that computes. The thread that has it may take it again.
class Work {
 public:
  Work();
  void begin();
  void end();
  // Gives the lock back, however often it was taken, and takes it again so often.
  std::size_t pause();
  void resume(std::size_t depth);
  bool mine() const { return owner_.load() == std::this_thread::get_id(); }

 private:
  std::mutex mutex_;
  std::atomic<std::thread::id> owner_;
  std::size_t depth_ = 0;
  AtFork at_fork_;  // held across a fork, so that nobody is halfway in the child
};
Work& work();

// From here to the end of the block this thread computes: without the GIL, and with our lock.
class Computing {
 public:
  Computing() { work().begin(); }
  ~Computing() { work().end(); }  // then the GIL comes back
  Computing(const Computing&) = delete;
  Computing& operator=(const Computing&) = delete;

 private:
  nb::gil_scoped_release without_gil_;
};

// Within Computing: from here to the end of the block this thread runs Python.
class Calling {
  struct Pause {
    std::size_t depth = work().pause();
    ~Pause() { work().resume(depth); }
  };
  Pause pause_;
  nb::gil_scoped_acquire gil_;  // given back before our lock is taken again
};

// Runs `release`, which gives up Python objects, with the GIL: now, or soon after this thread has
// stopped computing.
void drop(std::function<void()> release);

// A value that holds Python objects, for C++ to share and to forget at any time on any thread.
template <class T>
std::shared_ptr<T> kept(T value) {
  return {new T(std::move(value)), [](T* there) { drop([there] { delete there; }); }};
}

}  // namespace limulus::python

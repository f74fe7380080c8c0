#include "python/work.h"

#include <vector>

namespace limulus::python {

Work::Work()
    : at_fork_(AtFork::Stage::work, {.before = [this] { begin(); },
                                     .parent = [this] { end(); },
                                     .child = [this] { end(); }}) {}

void Work::begin() {
  if (!mine()) {
    mutex_.lock();
    owner_ = std::this_thread::get_id();
  }
  ++depth_;
}

void Work::end() {
  if (--depth_ > 0) return;
  owner_ = std::thread::id();
  mutex_.unlock();
}

std::size_t Work::pause() {
  const std::size_t depth = depth_;
  depth_ = 1;
  end();
  return depth;
}

void Work::resume(std::size_t depth) {
  begin();
  depth_ = depth;
}

// Never destroyed: threads may still compute when the program ends.
Work& work() {
  static Work* instance = new Work;
  return *instance;
}

namespace {

struct Waiting {
  std::mutex mutex;
  AtFork at_fork{AtFork::Stage::memory, mutex};
  std::vector<std::function<void()>> releases;
};

Waiting& waiting() {
  static auto* instance = new Waiting;
  return *instance;
}

int release_waiting(void*) {  // with the GIL
  std::vector<std::function<void()>> now;
  {
    const std::lock_guard lock(waiting().mutex);
    now.swap(waiting().releases);
  }
  for (const auto& release : now) release();
  return 0;
}

}  // namespace

void drop(std::function<void()> release) {
  if (!nb::is_alive()) return;  // Python has ended, and its objects with it
  if (!work().mine()) {
    const nb::gil_scoped_acquire gil;
    release();
    return;
  }
  {
    const std::lock_guard lock(waiting().mutex);
    waiting().releases.push_back(std::move(release));
  }
  // Python calls it at its next step. Where too many calls wait already, one of those does it.
  Py_AddPendingCall(release_waiting, nullptr);
}

}  // namespace limulus::python

#include "backends/finish_at_exit.h"

#include <cstdlib>
#include <mutex>
#include <utility>

#include "core/at_fork.h"

namespace limulus {
namespace {

struct Queues {
  std::mutex mutex;
  std::list<std::function<void()>> all;
  AtFork at_fork{AtFork::Stage::work, mutex};  // before that of any queue
};

// Never destroyed: it is used at the very end.
Queues& queues() {
  static Queues* instance = new Queues;
  return *instance;
}

void finish_all() {
  Queues& q = queues();
  const std::lock_guard lock(q.mutex);  // a queue about to be destroyed waits
  for (const auto& finish : q.all) {
    try {
      finish();
    } catch (...) {  // nobody is left who could do anything about it
    }
  }
}

}  // namespace

// Handlers and destructors of static objects run in the reverse order of their registration. So
// each queue registers a handler of its own: the first queue may be older than a driver.
FinishAtExit::FinishAtExit(std::function<void()> finish) {
  Queues& q = queues();
  const std::lock_guard lock(q.mutex);
  place_ = q.all.insert(q.all.end(), std::move(finish));
  renew();
}

void FinishAtExit::renew() { std::atexit(finish_all); }

FinishAtExit::~FinishAtExit() {
  Queues& q = queues();
  const std::lock_guard lock(q.mutex);
  q.all.erase(place_);
}

}  // namespace limulus

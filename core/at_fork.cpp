#include "core/at_fork.h"

#include <pthread.h>

#include <atomic>
#include <list>
#include <mutex>
#include <utility>

namespace limulus {
namespace {

std::atomic<std::uint64_t> forks{0};

}  // namespace

// Never destroyed: a program may fork in its last moments.
struct ForkList {
  using Step = std::function<void()> AtFork::Steps::*;

  std::mutex mutex;  // held from before a fork until after it
  std::list<AtFork*> all;

  void take(Step step) {
    for (const AtFork::Stage stage :
         {AtFork::Stage::work, AtFork::Stage::memory, AtFork::Stage::ranges})
      for (const AtFork* each : all)
        if (each->stage_ == stage) (each->steps_.*step)();
  }

  static ForkList& instance() {
    static ForkList* list = make();
    return *list;
  }
  static ForkList* make() {
    pthread_atfork(
        [] {
          instance().mutex.lock();
          instance().take(&AtFork::Steps::before);
        },
        [] {
          instance().take(&AtFork::Steps::parent);
          instance().mutex.unlock();
        },
        [] {
          forks.fetch_add(1);
          instance().take(&AtFork::Steps::child);
          instance().mutex.unlock();
        });
    return new ForkList;
  }
};

AtFork::AtFork(Stage stage, Steps steps) : stage_(stage), steps_(std::move(steps)) {
  ForkList& list = ForkList::instance();
  const std::lock_guard lock(list.mutex);
  list.all.push_back(this);
}

AtFork::AtFork(Stage stage, std::mutex& mutex)
    : AtFork(stage, {.before = [&mutex] { mutex.lock(); },
                     .parent = [&mutex] { mutex.unlock(); },
                     .child = [&mutex] { mutex.unlock(); }}) {}

AtFork::~AtFork() {
  ForkList& list = ForkList::instance();
  const std::lock_guard lock(list.mutex);
  list.all.remove(this);
}

std::uint64_t fork_count() {
  ForkList::instance();  // from now on they are counted
  return forks.load(std::memory_order_relaxed);
}

}  // namespace limulus

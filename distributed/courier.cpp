#include "distributed/courier.h"

#include <chrono>

namespace limulus {

Courier::Courier() : thread_(run, errands_) {}

Courier::~Courier() {
  bool done = false;
  {
    std::unique_lock lock(errands_->mutex);
    errands_->closed = true;
    errands_->waiting.clear();
    errands_->changed.notify_all();
    done = errands_->changed.wait_for(lock, std::chrono::seconds(1),
                                      [this] { return !errands_->under_way; });
  }
  if (done)
    thread_.join();
  else
    thread_.detach();
}

void Courier::give(std::function<void()> errand) {
  {
    const std::lock_guard lock(errands_->mutex);
    errands_->waiting.push_back(std::move(errand));
  }
  errands_->changed.notify_all();
}

double Courier::seconds() const {
  const std::lock_guard lock(errands_->mutex);
  return errands_->seconds;
}

void Courier::run(const std::shared_ptr<Errands>& errands) {
  using Clock = std::chrono::steady_clock;
  std::unique_lock lock(errands->mutex);
  for (;;) {
    errands->changed.wait(lock, [&] { return errands->closed || !errands->waiting.empty(); });
    if (errands->closed) return;
    std::function<void()> errand = std::move(errands->waiting.front());
    errands->waiting.pop_front();
    errands->under_way = true;
    lock.unlock();
    const auto began = Clock::now();
    errand();
    errand = nullptr;  // what it owns is freed here, and not under the lock
    const double took = std::chrono::duration<double>(Clock::now() - began).count();
    lock.lock();
    errands->under_way = false;
    errands->seconds += took;
    errands->changed.notify_all();
  }
}

}  // namespace limulus

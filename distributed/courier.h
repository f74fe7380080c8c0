#pragma once
// A thread that talks to the other ranks while this one computes.
//
// What the ranks do together has an order, the same on all of them (communicator.h). So errands are
// run one after the other, in the order in which they were given. While there are any, nobody else
// may use the communicator.
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace limulus {

class Courier {
 public:
  Courier();
  // Errands that are not begun are dropped. One that is under way may wait for ranks that will
  // never answer, as where an exception ends this one: it is left behind, with what it owns.
  ~Courier();
  Courier(const Courier&) = delete;
  Courier& operator=(const Courier&) = delete;

  // Runs `errand` after those before it. The future has its result, or what it threw. It must own
  // whatever it reads and writes, but for the communicator.
  template <class F>
  auto send(F errand) -> std::future<decltype(errand())> {
    auto task = std::make_shared<std::packaged_task<decltype(errand())()>>(std::move(errand));
    auto result = task->get_future();
    give([task] { (*task)(); });
    return result;
  }

  double seconds() const;  // that errands took so far, waiting for other ranks included

 private:
  struct Errands {  // of both threads
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::function<void()>> waiting;
    bool under_way = false, closed = false;
    double seconds = 0;
  };
  void give(std::function<void()> errand);
  static void run(const std::shared_ptr<Errands>& errands);

  std::shared_ptr<Errands> errands_ = std::make_shared<Errands>();
  std::thread thread_;
};

}  // namespace limulus

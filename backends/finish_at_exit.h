#pragma once
// Devices run behind the program, and some compile a kernel when it first runs. A program that ends
// with work in a queue would destroy the driver and its compiler, which are static objects, while
// the work needs them. So every owner of a queue finishes it first.
#include <functional>
#include <list>

namespace limulus {

// While it lives, `finish` is called when the program leaves main or calls std::exit: before the
// destructors of all that was loaded before this was made. Exceptions are dropped.
class FinishAtExit {
 public:
  explicit FinishAtExit(std::function<void()> finish);
  ~FinishAtExit();
  void renew();  // from now on, also before the destructors of all that exists now
  FinishAtExit(const FinishAtExit&) = delete;
  FinishAtExit& operator=(const FinishAtExit&) = delete;

 private:
  std::list<std::function<void()>>::iterator place_;
};

}  // namespace limulus

#pragma once
// Devices run behind the program, and some compile a kernel when it first runs. A program that ends
// with work ordered would take down the driver and its compiler, as static objects, under that
// work: so whoever has a queue finishes it before.
#include <functional>
#include <list>

namespace limulus {

// While it lives, `finish` is called when the program leaves main or calls std::exit: before the
// destructors of whatever was loaded before this was made. What it throws is dropped.
class FinishAtExit {
 public:
  explicit FinishAtExit(std::function<void()> finish);
  ~FinishAtExit();
  void renew();  // from now on, also before the destructors of what has been made until now
  FinishAtExit(const FinishAtExit&) = delete;
  FinishAtExit& operator=(const FinishAtExit&) = delete;

 private:
  std::list<std::function<void()>>::iterator place_;
};

}  // namespace limulus

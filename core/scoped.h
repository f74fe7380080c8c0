#pragma once
// A variable that has another value for the length of a block: the base of NoGrad and its like.
#include <utility>

namespace limulus {

template <class T>
class Scoped {
 public:
  Scoped(const Scoped&) = delete;
  Scoped& operator=(const Scoped&) = delete;

 protected:
  Scoped(T& variable, T value)
      : variable_(variable), outer_(std::exchange(variable, std::move(value))) {}
  ~Scoped() { variable_ = std::move(outer_); }

 private:
  T& variable_;
  T outer_;
};

}  // namespace limulus

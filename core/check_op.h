#pragma once
// What the compiler says of an Op that is not complete, in one line each.
#include <type_traits>

#include "core/autograd.h"

namespace limulus {

// Whether O can be recorded when it is made from Args; what it lacks is said in one line.
template <class O, class... Args>
constexpr bool check_op() {
  constexpr bool derived = std::is_convertible_v<O*, Op*>;  // and publicly
  static_assert(derived,
                "record<MyOp>: write  struct MyOp : Op  with the derivative (core/autograd.h)");
  if constexpr (derived) {
    // Not overridden, a function is still the base's own.
    constexpr bool no_name = requires {
      requires std::is_same_v<decltype(&O::name), decltype(&Op::name)>;
    };
    constexpr bool no_backward = requires {
      requires std::is_same_v<decltype(&O::backward), decltype(&Op::backward)>;
    };
    static_assert(!no_name,
                  "this Op has no name for messages: write  const char* name() const override");
    static_assert(
        !no_backward,
        "this Op has no derivative: write  std::vector<Tensor> backward(const Tensor& dy) "
        "override, which returns a gradient for each input");
    if constexpr (!no_name && !no_backward) {
      constexpr bool complete = !std::is_abstract_v<O>;
      static_assert(complete,
                    "a function of this Op differs from the one it should override: write  const "
                    "char* name() const override  and  std::vector<Tensor> backward(const Tensor& "
                    "dy) override");
      if constexpr (complete) {
        constexpr bool constructible = std::is_constructible_v<O, Args...>;
        static_assert(
            constructible,
            "this Op cannot be made from what follows `saved`: write  "
            "record<MyOp>(result, {inputs}, {saved}, arguments of MyOp's constructor ...)");
        return constructible;
      }
    }
  }
  return false;
}

}  // namespace limulus

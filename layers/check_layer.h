#pragma once
// What the compiler says of a layer that is not complete, in one line each.
#include <type_traits>

#include "layers/module.h"

namespace limulus {

// Whether Layer can be made from Args and put into a network; what it lacks is said in one line.
template <class Layer, class... Args>
constexpr bool check_layer() {
  constexpr bool derived = std::is_convertible_v<Layer*, Module*>;  // and publicly
  static_assert(derived, "a layer is a Module: write  class MyLayer : public Module");
  if constexpr (derived) {
    // Not overridden, a function is still the base's own.
    constexpr bool no_kind = requires {
      requires std::is_same_v<decltype(&Layer::kind), decltype(&Module::kind)>;
    };
    constexpr bool no_forward = requires {
      requires std::is_same_v<decltype(&Layer::forward), decltype(&Module::forward)>;
    };
    constexpr bool no_walk = requires {
      requires std::is_same_v<decltype(&Layer::walk), decltype(&Module::walk)>;
    };
    static_assert(!no_kind,
                  "this layer has no kind: write  const char* kind() const override { "
                  "return \"MyLayer\"; }");
    static_assert(!no_forward,
                  "this layer computes nothing: write  Tensor forward(const Tensor& x) override");
    static_assert(!no_walk,
                  "this layer does not tell its sizes: write  std::vector<WalkStep> walk(const "
                  "Shape& in) const override { return {make_step(*this, in, in)}; }  with the "
                  "output's shape as the last `in`");
    if constexpr (!no_kind && !no_forward && !no_walk) {
      constexpr bool complete = !std::is_abstract_v<Layer>;
      static_assert(
          complete,
          "a function of this layer differs from the one it should override: write  const "
          "char* kind() const override,  Tensor forward(const Tensor& x) override,  "
          "std::vector<WalkStep> walk(const Shape& in) const override");
      if constexpr (complete) {
        constexpr bool constructible = std::is_constructible_v<Layer, Args...>;
        static_assert(constructible,
                      "this layer cannot be made from the arguments after its name: write  "
                      "net.add<Layer>(\"name\", ...)  with those of the layer's constructor");
        return constructible;
      }
    }
  }
  return false;
}

}  // namespace limulus

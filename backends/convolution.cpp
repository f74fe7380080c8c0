#include "backends/convolution.h"

#include <cstdlib>
#include <string>
#include <utility>

#include "core/error.h"

namespace limulus {

ConvMethod conv_method() {
  static const ConvMethod method = [] {
    const char* value = std::getenv("LIMULUS_CONV");
    const std::string wanted = value == nullptr ? "" : value;
    if (wanted.empty()) return ConvMethod::automatic;
    if (wanted == "direct") return ConvMethod::direct;
    if (wanted == "winograd") return ConvMethod::winograd;
    throw ValueError("LIMULUS_CONV is \"" + wanted +
                     "\", but the methods are direct and winograd; unset it to have the one that "
                     "the sizes advise");
  }();
  return method;
}

Conv2dShape input_gradient(const Conv2dShape& s) {
  Conv2dShape t = s;
  std::swap(t.c, t.k);
  t.relu = t.packed = false;
  for (Window1d* a : {&t.window.h, &t.window.w}) {
    std::swap(a->in, a->out);
    a->pad = a->dilation * (a->kernel - 1) - a->pad;
  }
  return t;
}

}  // namespace limulus

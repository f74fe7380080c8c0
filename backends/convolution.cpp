#include "backends/convolution.h"

#include <string>
#include <utility>

#include "core/environment.h"

namespace limulus {

ConvMethod conv_method() {
  static const ConvMethod method = [] {
    const std::string wanted = environment::value("LIMULUS_CONV");
    if (wanted == "direct") return ConvMethod::direct;
    if (wanted == "winograd") return ConvMethod::winograd;
    return ConvMethod::automatic;
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

bool has_stride(const Conv2dShape& s) { return s.window.h.stride > 1 || s.window.w.stride > 1; }

Conv2dShape without_stride(const Conv2dShape& s) {
  Conv2dShape t = s;
  t.c = s.c * s.window.h.stride * s.window.w.stride;
  for (Window1d* a : {&t.window.h, &t.window.w}) {
    if (a->stride == 1) continue;
    const std::int64_t taps = (a->kernel + a->stride - 1) / a->stride;
    *a = {.in = a->out + taps - 1, .kernel = taps, .out = a->out};
  }
  return t;
}

}  // namespace limulus

// LIMULUS_CONV=direct or winograd makes every convolution go one way, where it can: to compare the
// two, and to test Winograd's with shapes for which it does not pay.
#include <cstdlib>
#include <string>

#include "backends/cpu/kernels/kernels.h"
#include "core/error.h"

namespace limulus::cpu {

ConvMethod conv_method() {
  static const ConvMethod method = [] {
    const char* value = std::getenv("LIMULUS_CONV");
    const std::string wanted = value == nullptr ? "" : value;
    if (wanted.empty()) return ConvMethod::automatic;
    if (wanted == "direct") return ConvMethod::direct;
    if (wanted == "winograd") return ConvMethod::winograd;
    throw ValueError("cpu: LIMULUS_CONV is \"" + wanted +
                     "\", but the methods are direct and winograd; unset it to have the one that "
                     "the sizes advise");
  }();
  return method;
}

}  // namespace limulus::cpu

// The kernels of the cpu backend, which a build for fuzzing leaves out: what is asked of a reader
// is computed by the reference backend.
#include <cstdlib>

#include "backends/cpu/kernels/kernels.h"

namespace limulus::cpu {
LIMULUS_IN_EACH_ISA(template <class T> const Kernels<T>& kernels() {
  std::abort();
} template const Kernels<float>& kernels();
                    template const Kernels<double>& kernels();)
}  // namespace limulus::cpu

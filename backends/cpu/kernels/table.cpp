// The table of this instruction set's kernels. Compiled twice like every file of this folder, it
// defines limulus::cpu::avx2::kernels<T>() and limulus::cpu::avx512::kernels<T>().
#include "backends/cpu/kernels/kernels.h"

namespace limulus::cpu::LIMULUS_ISA {

template <class T>
const Kernels<T>& kernels() {
  static constexpr Kernels<T> table = {
#define KERNEL(result, name, ...) .name = name<T>,
#include "backends/cpu/kernels/kernel_list.h"
#undef KERNEL
  };
  return table;
}

template const Kernels<float>& kernels<float>();
template const Kernels<double>& kernels<double>();

}  // namespace limulus::cpu::LIMULUS_ISA

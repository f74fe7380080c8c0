// Local response normalization across channels, and the maximum over windows of its result.
#include "backends/cpu/kernels/memory_kernels.h"
#include "backends/cpu/kernels/gemm.h"
#include "backends/cpu/kernels/parallel.h"

namespace limulus::cpu::LIMULUS_ISA {

template <class T>
void lrn_across_max_pool2d_forward(const Context& ctx, const LrnShape& s, const Pool2dShape& pool,
                                   const T* x, T* y, std::int32_t* argmax) {
  const Scratch normalized(ctx, bytes_of<T>(s.n * s.c * s.h * s.w));
  lrn_across_forward<T>(ctx, s, x, normalized.as<T>());
  max_pool2d_forward<T>(ctx, pool, normalized.as<T>(), y, argmax);
}

template void lrn_across_max_pool2d_forward<float>(const Context&, const LrnShape&,
                                                   const Pool2dShape&, const float*, float*,
                                                   std::int32_t*);
template void lrn_across_max_pool2d_forward<double>(const Context&, const LrnShape&,
                                                    const Pool2dShape&, const double*, double*,
                                                    std::int32_t*);

}  // namespace limulus::cpu::LIMULUS_ISA

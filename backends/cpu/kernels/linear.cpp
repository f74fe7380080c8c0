// y[n, out] = sum over in of x[n, in] w[out, in] + b[out]: a product of matrices, x times w
// transposed, whose result begins as n copies of b.
#include "backends/cpu/kernels/matrix_kernels.h"
#include "backends/cpu/kernels/memory_kernels.h"
#include "backends/cpu/kernels/parallel.h"

namespace limulus::cpu::LIMULUS_ISA {

template <class T>
void linear_forward(const Context& ctx, const LinearShape& s, const T* x, const T* w, const T* b,
                    T* y) {
  if (b != nullptr)
    for (std::int64_t n = 0; n < s.n; ++n)
      for (std::int64_t o = 0; o < s.out; ++o) y[n * s.out + o] = b[o];
  const GemmShape product = {s.n, s.out, s.in, false, true, s.in, s.in, s.out, b != nullptr};
  gemm<T>(ctx, product, x, w, y);
  if (s.relu) unary<T>(ctx, UnaryOp::relu, s.n * s.out, y, y);
}

template void linear_forward<float>(const Context&, const LinearShape&, const float*, const float*,
                                    const float*, float*);
template void linear_forward<double>(const Context&, const LinearShape&, const double*,
                                     const double*, const double*, double*);

}  // namespace limulus::cpu::LIMULUS_ISA

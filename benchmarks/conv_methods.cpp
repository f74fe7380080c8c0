// Compiled once per instruction set, like the kernels (backends/cpu/kernels/simd/simd.h).
#include "benchmarks/conv_methods.h"

#include "backends/cpu/kernels/matrix_kernels.h"

namespace limulus::cpu::LIMULUS_ISA {

template <class T>
void convolve(const Context& ctx, const Conv2dShape& s, ConvPart part, bool winograd, const T* x,
              const T* w, const T* dy, T* result) {
  switch (part) {
    case ConvPart::outputs:
      if (!winograd) return conv2d_forward_direct<T>(ctx, s, x, w, nullptr, result);
      return conv2d_winograd<T>(ctx, s, x, w, false, nullptr, result);
    case ConvPart::input_gradient:
      if (!winograd) return conv2d_backward_input_direct<T>(ctx, s, dy, w, result);
      return conv2d_winograd<T>(ctx, input_gradient(s), dy, w, true, nullptr, result);
    case ConvPart::weight_gradient:
      if (!winograd) return conv2d_backward_weight_direct<T>(ctx, s, x, dy, result);
      return conv2d_backward_weight_winograd<T>(ctx, s, x, dy, result);
  }
}

template void convolve<float>(const Context&, const Conv2dShape&, ConvPart, bool, const float*,
                              const float*, const float*, float*);
template void convolve<double>(const Context&, const Conv2dShape&, ConvPart, bool, const double*,
                               const double*, const double*, double*);

}  // namespace limulus::cpu::LIMULUS_ISA

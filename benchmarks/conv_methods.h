#pragma once
// The CPU backend's two methods of convolution by name, whatever the sizes advise.
#include "backends/cpu/kernels/kernels.h"

namespace limulus::cpu {

enum class ConvPart { outputs, input_gradient, weight_gradient };

// result: y from x and w, dx from dy and w, or dw from x and dy. By Winograd's method, which must
// suit the window (matrix_kernels.h; one with a stride after space-to-depth), or directly.
// Defined for float and double.
LIMULUS_IN_EACH_ISA(template <class T> void convolve(const Context& ctx, const Conv2dShape& s,
                                                     ConvPart part, bool winograd, const T* x,
                                                     const T* w, const T* dy, T* result);)

}  // namespace limulus::cpu

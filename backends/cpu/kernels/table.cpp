// The table of this instruction set's kernels. Compiled twice like every file of this folder, it
// defines limulus::cpu::avx2::kernels<T>() and limulus::cpu::avx512::kernels<T>().
#include "backends/cpu/kernels/matrix_kernels.h"
#include "backends/cpu/kernels/memory_kernels.h"

// A kernel that is left out here would be a null pointer, found when it is called: it does not
// compile.
#pragma GCC diagnostic error "-Wmissing-field-initializers"

namespace limulus::cpu::LIMULUS_ISA {

template <class T>
const Kernels<T>& kernels() {
  static constexpr Kernels<T> table = {
      .gemm = gemm<T>,
      .linear_forward = linear_forward<T>,
      .conv2d_packed_bytes = conv2d_packed_bytes<T>,
      .conv2d_pack = conv2d_pack<T>,
      .conv2d_forward = conv2d_forward<T>,
      .conv2d_backward_input = conv2d_backward_input<T>,
      .conv2d_backward_weight = conv2d_backward_weight<T>,
      .conv2d_backward_bias = conv2d_backward_bias<T>,
      .max_pool2d_forward = max_pool2d_forward<T>,
      .max_pool2d_backward = max_pool2d_backward<T>,
      .avg_pool2d_forward = avg_pool2d_forward<T>,
      .avg_pool2d_backward = avg_pool2d_backward<T>,
      .lrn_across_forward = lrn_across_forward<T>,
      .lrn_across_backward = lrn_across_backward<T>,
      .lrn_across_max_pool2d_forward = lrn_across_max_pool2d_forward<T>,
      .lrn_within_forward = lrn_within_forward<T>,
      .lrn_within_backward = lrn_within_backward<T>,
      .unary = unary<T>,
      .unary_backward = unary_backward<T>,
      .binary = binary<T>,
      .select_backward = select_backward<T>,
      .affine = affine<T>,
      .accumulate = accumulate<T>,
      .fill = fill<T>,
      .dropout = dropout<T>,
      .reduce = reduce<T>,
      .softmax_forward = softmax_forward<T>,
      .softmax_backward = softmax_backward<T>,
      .cross_entropy_forward = cross_entropy_forward<T>,
      .cross_entropy_backward = cross_entropy_backward<T>,
      .sgd_step = sgd_step<T>,
  };
  return table;
}

template const Kernels<float>& kernels<float>();
template const Kernels<double>& kernels<double>();

}  // namespace limulus::cpu::LIMULUS_ISA

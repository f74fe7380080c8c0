// y[n, out] = sum over in of x[n, in] w[out, in] + b[out], clamped at 0 if a ReLU is fused.
//
// The batch decides. Each weight of a layer is used once for each image:
//
//     up to 4 images    memory delivers weights more slowly than they are used: rows_dot.cpp
//     up to 256         arithmetic takes longer, but packing w would too: rows_in_place.cpp
//     more              the general product, which packs both factors
//
// Weights may be stored in 16 bits, half the bytes: the arithmetic is in single precision all the
// same, and a weight is widened as it is read.
#include "backends/cpu/kernels/matrix_kernels.h"
#include "backends/cpu/kernels/simd/parallel.h"

namespace limulus::cpu::LIMULUS_ISA {
namespace {

template <class T, class W>
void rows_forward(const Context& ctx, const RowProducts<T>& s, const W* w) {
  if (s.n <= few_rows || s.in == 0)  // of no inputs the bias is left
    rows_dot<T>(ctx, s, w);
  else
    rows_in_place<T>(ctx, s, w);
}

}  // namespace

template <class T>
void linear_forward(const Context& ctx, const LinearShape& s, const T* x, const void* weights,
                    const T* b, T* y) {
  RowProducts<T> rows = {s.n, s.in, s.out, x, s.in, s.in, y, s.out, 1, b, false, s.relu};
  if constexpr (sizeof(T) == sizeof(float))
    if (s.weights == DType::bf16) {
      for (std::int64_t q = 0; q < s.n; q += in_place_rows) {
        rows.n = smaller(in_place_rows, s.n - q);
        rows.x = x + q * s.in;
        rows.y = y + q * s.out;
        rows_forward<T>(ctx, rows, static_cast<const Bf16*>(weights));
      }
      return;
    }
  const T* w = static_cast<const T*>(weights);
  if (s.n <= in_place_rows || s.in == 0) return rows_forward<T>(ctx, rows, w);
  if (b != nullptr)
    for (std::int64_t n = 0; n < s.n; ++n)
      for (std::int64_t o = 0; o < s.out; ++o) y[n * s.out + o] = b[o];
  gemm<T>(ctx, {s.n, s.out, s.in, false, true, s.in, s.in, s.out, b != nullptr}, x, w, y);
  if (s.relu) unary<T>(ctx, UnaryOp::relu, s.n * s.out, y, y);
}

template void linear_forward<float>(const Context&, const LinearShape&, const float*, const void*,
                                    const float*, float*);
template void linear_forward<double>(const Context&, const LinearShape&, const double*, const void*,
                                     const double*, double*);

}  // namespace limulus::cpu::LIMULUS_ISA

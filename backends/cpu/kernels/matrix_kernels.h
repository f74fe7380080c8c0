#pragma once
// The methods among which the kernels for matrices and convolution choose. Each is defined in the
// file named above it, for float and for double; contracts: core/backend.h.
#include "backends/cpu/kernels/kernels.h"

namespace limulus::cpu::LIMULUS_ISA {

// Inner products of rows: y[q, o] = sum over i of x[q, i] w[o, i], + bias[o], or + y[q, o] with
// `add`, and clamped at 0 with `relu`. It is what a Linear layer does, and a product A B^T.
template <class T>
struct RowProducts {
  std::int64_t n, in, out;  // rows of x, their length, rows of w
  const T* x;
  std::int64_t ldx, ldw;
  T* y;
  std::int64_t ldy, step = 1;  // y[q, o] lies at q * ldy + o * step
  const T* bias = nullptr;
  bool add = false, relu = false;
};
// w is of T, or of Bf16 where T is float.
// rows_dot.cpp: for a few rows of x, or any number. rows_in_place.cpp: for tens of rows, where
// packing w would not pay; step is 1.
constexpr std::int64_t few_rows = 4, in_place_rows = 256;
template <class T, class W>
void rows_dot(const Context& ctx, const RowProducts<T>& s, const W* w);
template <class T, class W>
void rows_in_place(const Context& ctx, const RowProducts<T>& s, const W* w);

// conv2d_forward.cpp, conv2d_backward_input.cpp: for every shape
template <class T>
void conv2d_forward_direct(const Context& ctx, const Conv2dShape& s, const T* x, const T* w,
                           const T* b, T* y);
template <class T>
void conv2d_backward_input_direct(const Context& ctx, const Conv2dShape& s, const T* dy, const T* w,
                                  T* dx);

// winograd/forward.cpp: for windows of 3 x 3 and 5 x 5 with a stride and a dilation of 1, and
// outputs; and for those that space-to-depth makes 3 x 3, with a stride of 2 or 4 and at most 48
// channels after it (conv2d.cpp asks). `flipped`: w is the weight [c, k/groups, taps, taps] of the
// convolution whose input gradient this is, to be read with its taps and its channels exchanged.
// Here and below: not_finite[n] becomes 1 where a result of image n (of a weight's gradient:
// not_finite[0], where any) is infinite or NaN (winograd/transforms.h), unless it is null.
template <class T>
void conv2d_winograd(const Context& ctx, const Conv2dShape& s, const T* x, const T* w, bool flipped,
                     const T* b, T* y, unsigned char* not_finite = nullptr);
template <class T>
std::size_t conv2d_winograd_packed_bytes(const Conv2dShape& s);
template <class T>
void conv2d_winograd_pack(const Context& ctx, const Conv2dShape& s, const T* w, T* packed);

// winograd/weight.cpp: for the same windows
template <class T>
void conv2d_backward_weight_winograd(const Context& ctx, const Conv2dShape& s, const T* x,
                                     const T* dy, T* dw, unsigned char* not_finite = nullptr);

// conv2d_backward_weight.cpp
template <class T>
void conv2d_backward_weight_direct(const Context& ctx, const Conv2dShape& s, const T* x,
                                   const T* dy, T* dw);

}  // namespace limulus::cpu::LIMULUS_ISA

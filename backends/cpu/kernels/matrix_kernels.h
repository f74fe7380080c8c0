#pragma once
// Declarations of the kernels for matrices and convolution, so that table.cpp can name them. Each
// is defined in the file named above it, for float and for double; contracts: core/backend.h.
#include "backends/cpu/kernels/kernels.h"

namespace limulus::cpu::LIMULUS_ISA {

// gemm.cpp
template <class T>
void gemm(const Context& ctx, const GemmShape& s, const T* a, const T* b, T* c);

// gemm_dot.cpp: for gemm, where A has rows of k, B^T too, and one of them has few rows
template <class T>
void gemm_dot(const Context& ctx, const GemmShape& s, const T* a, const T* b, T* c);

// linear.cpp
template <class T>
void linear_forward(const Context& ctx, const LinearShape& s, const T* x, const T* w, const T* b,
                    T* y);

// conv2d.cpp: chooses among those below
template <class T>
std::size_t conv2d_packed_bytes(const Conv2dShape& s);
template <class T>
void conv2d_pack(const Context& ctx, const Conv2dShape& s, const T* w, T* packed);
template <class T>
void conv2d_forward(const Context& ctx, const Conv2dShape& s, const T* x, const T* w, const T* b,
                    T* y);
template <class T>
void conv2d_backward_input(const Context& ctx, const Conv2dShape& s, const T* dy, const T* w,
                           T* dx);

// conv2d_forward.cpp, conv2d_backward_input.cpp: for every shape
template <class T>
void conv2d_forward_direct(const Context& ctx, const Conv2dShape& s, const T* x, const T* w,
                           const T* b, T* y);
template <class T>
void conv2d_backward_input_direct(const Context& ctx, const Conv2dShape& s, const T* dy, const T* w,
                                  T* dx);

// winograd.cpp: for 3 x 3 windows with a stride and a dilation of 1. `turned`: w is the weight
// [c, k/groups, 3, 3] of the convolution whose input gradient this is, to be read with its taps and
// its channels exchanged.
template <class T>
void conv2d_winograd(const Context& ctx, const Conv2dShape& s, const T* x, const T* w, bool turned,
                     const T* b, T* y);

// conv2d_backward_weight.cpp
template <class T>
void conv2d_backward_weight(const Context& ctx, const Conv2dShape& s, const T* x, const T* dy,
                            T* dw);
template <class T>
void conv2d_backward_bias(const Context& ctx, const Conv2dShape& s, const T* dy, T* db);

}  // namespace limulus::cpu::LIMULUS_ISA

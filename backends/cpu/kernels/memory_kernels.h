#pragma once
// Declarations of all kernels but those of matrices and convolution (matrix_kernels.h), so that
// table.cpp can name them. Each is defined in a file beside this one, for float and for double;
// their contracts are those of core/backend.h.
#include "backends/cpu/kernels/kernels.h"

namespace limulus::cpu::LIMULUS_ISA {

// max_pool.cpp
template <class T>
void max_pool2d_forward(const Context& ctx, const Pool2dShape& s, const T* x, T* y,
                        std::int32_t* argmax);
template <class T>
void max_pool2d_backward(const Context& ctx, const Pool2dShape& s, const T* dy,
                         const std::int32_t* argmax, T* dx);

// avg_pool.cpp
template <class T>
void avg_pool2d_forward(const Context& ctx, const Pool2dShape& s, const T* x, T* y);
template <class T>
void avg_pool2d_backward(const Context& ctx, const Pool2dShape& s, const T* dy, T* dx);

// lrn_across.cpp
template <class T>
void lrn_across_forward(const Context& ctx, const LrnShape& s, const T* x, T* y);
template <class T>
void lrn_across_backward(const Context& ctx, const LrnShape& s, const T* x, const T* dy, T* dx);

// lrn_max_pool.cpp
template <class T>
void lrn_across_max_pool2d_forward(const Context& ctx, const LrnShape& s, const Pool2dShape& pool,
                                   const T* x, T* y, std::int32_t* argmax);

// lrn_within.cpp
template <class T>
void lrn_within_forward(const Context& ctx, const LrnShape& s, const T* x, T* y);
template <class T>
void lrn_within_backward(const Context& ctx, const LrnShape& s, const T* x, const T* dy, T* dx);

// unary.cpp
template <class T>
void unary(const Context& ctx, UnaryOp op, std::int64_t n, const T* x, T* y);
template <class T>
void unary_backward(const Context& ctx, UnaryOp op, std::int64_t n, const T* x, const T* y,
                    const T* dy, T* dx);

// binary.cpp
template <class T>
void binary(const Context& ctx, BinaryOp op, const BroadcastShape& s, const T* a, const T* b, T* y);
template <class T>
void select_backward(const Context& ctx, BinaryOp op, const BroadcastShape& s, bool second,
                     const T* a, const T* b, const T* dy, T* dx);

// vector.cpp
template <class T>
void affine(const Context& ctx, std::int64_t n, double scale, double shift, const T* x, T* y);
template <class T>
void accumulate(const Context& ctx, std::int64_t n, const T* x, T* y);
template <class T>
void fill(const Context& ctx, std::int64_t n, double value, T* y);

// dropout.cpp
template <class T>
void dropout(const Context& ctx, std::int64_t n, double p, PhiloxKey key, const T* x, T* y);

// reduce.cpp
template <class T>
void reduce(const Context& ctx, ReduceOp op, std::int64_t outer, std::int64_t len,
            std::int64_t inner, const T* x, T* y);

// softmax.cpp
template <class T>
void softmax_forward(const Context& ctx, std::int64_t rows, std::int64_t cols, const T* x, T* y);
template <class T>
void softmax_backward(const Context& ctx, std::int64_t rows, std::int64_t cols, const T* y,
                      const T* dy, T* dx);
template <class T>
void cross_entropy_forward(const Context& ctx, std::int64_t rows, std::int64_t cols, const T* x,
                           const std::int64_t* labels, T* probability, T* loss);
template <class T>
void cross_entropy_backward(const Context& ctx, std::int64_t rows, std::int64_t cols,
                            const T* probability, const std::int64_t* labels, const T* dloss,
                            T* dx);

// vector.cpp
template <class T>
void sgd_step(const Context& ctx, const SgdShape& s, T* w, const T* g, T* v);

}  // namespace limulus::cpu::LIMULUS_ISA

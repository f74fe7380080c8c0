// Every kernel of the CPU backend, said once: what it returns, its name, its arguments. kernels.h
// and table.cpp include this list, each time with a KERNEL of their own: there is no #pragma once.
//
// T is float or double. A primitive of the interface and its kernel carry the same name, and what a
// kernel computes is the contract in core/backend.h. The file named above it defines it.

// matmul/gemm.cpp, matmul/linear.cpp. w is of T, or, if the shape's weights say so and T is float,
// of Bf16.
KERNEL(void, gemm, const Context&, const GemmShape&, const T* a, const T* b, T* c)
KERNEL(void, linear_forward, const Context&, const LinearShape&, const T* x, const void* w,
       const T* b, T* y)

// conv/conv2d.cpp: chooses among the methods of matrix_kernels.h
KERNEL(std::size_t, conv2d_packed_bytes, const Conv2dShape&)
KERNEL(void, conv2d_pack, const Context&, const Conv2dShape&, const T* w, T* packed)
KERNEL(void, conv2d_forward, const Context&, const Conv2dShape&, const T* x, const T* w, const T* b,
       T* y)
KERNEL(void, conv2d_backward_input, const Context&, const Conv2dShape&, const T* dy, const T* w,
       T* dx)
KERNEL(void, conv2d_backward_weight, const Context&, const Conv2dShape&, const T* x, const T* dy,
       T* dw)
// conv/conv2d_backward_weight.cpp
KERNEL(void, conv2d_backward_bias, const Context&, const Conv2dShape&, const T* dy, T* db)

// windows/max_pool.cpp, windows/avg_pool.cpp
KERNEL(void, max_pool2d_forward, const Context&, const Pool2dShape&, const T* x, T* y,
       std::int32_t* argmax)
KERNEL(void, max_pool2d_backward, const Context&, const Pool2dShape&, const T* dy,
       const std::int32_t* argmax, T* dx)
KERNEL(void, avg_pool2d_forward, const Context&, const Pool2dShape&, const T* x, T* y)
KERNEL(void, avg_pool2d_backward, const Context&, const Pool2dShape&, const T* dy, T* dx)

// windows/lrn_across.cpp, windows/lrn_max_pool.cpp, windows/lrn_within.cpp
KERNEL(void, lrn_across_forward, const Context&, const LrnShape&, const T* x, T* y)
KERNEL(void, lrn_across_backward, const Context&, const LrnShape&, const T* x, const T* dy, T* dx)
KERNEL(void, lrn_across_max_pool2d_forward, const Context&, const LrnShape&,
       const Pool2dShape& pool, const T* x, T* y, std::int32_t* argmax)
KERNEL(void, lrn_within_forward, const Context&, const LrnShape&, const T* x, T* y)
KERNEL(void, lrn_within_backward, const Context&, const LrnShape&, const T* x, const T* dy, T* dx)

// elementwise/unary.cpp, elementwise/binary.cpp, elementwise/vector.cpp, elementwise/dropout.cpp
KERNEL(void, unary, const Context&, UnaryOp, std::int64_t n, const T* x, T* y)
KERNEL(void, unary_backward, const Context&, UnaryOp, std::int64_t n, const T* x, const T* y,
       const T* dy, T* dx)
KERNEL(void, binary, const Context&, BinaryOp, const BroadcastShape&, const T* a, const T* b, T* y)
KERNEL(void, select_backward, const Context&, BinaryOp, const BroadcastShape&, bool second,
       const T* a, const T* b, const T* dy, T* dx)
KERNEL(void, affine, const Context&, std::int64_t n, double scale, double shift, const T* x, T* y)
KERNEL(void, accumulate, const Context&, std::int64_t n, const T* x, T* y)
KERNEL(void, fill, const Context&, std::int64_t n, double value, T* y)
KERNEL(void, sgd_step, const Context&, const SgdShape&, T* w, const T* g, T* v)
KERNEL(void, dropout, const Context&, std::int64_t n, double p, PhiloxKey, const T* x, T* y)

// elementwise/reduce.cpp, elementwise/softmax.cpp
KERNEL(void, reduce, const Context&, ReduceOp, std::int64_t outer, std::int64_t len,
       std::int64_t inner, const T* x, T* y)
KERNEL(void, softmax_forward, const Context&, std::int64_t rows, std::int64_t cols, const T* x,
       T* y)
KERNEL(void, softmax_backward, const Context&, std::int64_t rows, std::int64_t cols, const T* y,
       const T* dy, T* dx)
KERNEL(void, cross_entropy_forward, const Context&, std::int64_t rows, std::int64_t cols,
       const T* x, const std::int64_t* labels, T* probability, T* loss)
KERNEL(void, cross_entropy_backward, const Context&, std::int64_t rows, std::int64_t cols,
       const T* probability, const std::int64_t* labels, const T* dloss, T* dx)

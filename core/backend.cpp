#include "core/backend.h"

#include "core/buffer_pool.h"
#include "core/error.h"

namespace limulus {

Backend::Backend() : pool_(std::make_unique<Pool>(*this)) {}

// By now the derived class, and with it deallocate(), is gone. A backend whose destructor did not
// call pool().trim(), or which tensors outlived, loses that memory: better than a call into
// nothing.
Backend::~Backend() {
  if (pool_->stats().held_bytes != 0) static_cast<void>(pool_.release());
}

// ---- two primitives that are others in a row ------------------------------------------------

// y begins as n copies of b, and the product is added to it.
void Backend::linear_forward(DType dtype, const LinearShape& s, const void* x, const void* w,
                             const void* b, void* y) {
  if (s.weights == DType::bf16)
    throw DeviceError("linear: backend " + name() +
                      " cannot read weights stored as bf16; use the device \"cpu\" on a processor "
                      "with AVX2, or weights in f32");
  if (b != nullptr) copy_block(dtype, {s.n, s.out, 0, 0, 0, s.out}, b, y);
  gemm(dtype, {s.n, s.out, s.in, false, true, s.in, s.in, s.out, b != nullptr ? 1 : 0}, x, w, y);
  if (s.relu) unary(dtype, UnaryOp::relu, s.n * s.out, y, y);
}

void Backend::lrn_across_max_pool2d_forward(DType dtype, const LrnShape& s, const Pool2dShape& pool,
                                            const void* x, void* y, void* argmax) {
  const Workspace normalized(*pool_, bytes_of(dtype, s.n * s.c * s.h * s.w));
  lrn_across_forward(dtype, s, x, normalized.data());
  max_pool2d_forward(dtype, pool, normalized.data(), y, argmax);
}

const char* name_of(UnaryOp op) {
  switch (op) {
    case UnaryOp::neg:
      return "neg";
    case UnaryOp::exp:
      return "exp";
    case UnaryOp::log:
      return "log";
    case UnaryOp::sqrt:
      return "sqrt";
    case UnaryOp::square:
      return "square";
    case UnaryOp::abs:
      return "abs";
    case UnaryOp::relu:
      return "relu";
    case UnaryOp::sigmoid:
      return "sigmoid";
    case UnaryOp::tanh:
      return "tanh";
  }
  return "?";
}

const char* name_of(BinaryOp op) {
  switch (op) {
    case BinaryOp::add:
      return "add";
    case BinaryOp::sub:
      return "sub";
    case BinaryOp::mul:
      return "mul";
    case BinaryOp::div:
      return "div";
    case BinaryOp::max:
      return "max";
    case BinaryOp::min:
      return "min";
  }
  return "?";
}

const char* name_of(ReduceOp op) { return op == ReduceOp::sum ? "sum" : "max"; }

}  // namespace limulus

#include "core/backend.h"

#include "core/pool.h"

namespace limulus {

Backend::Backend() : pool_(std::make_unique<Pool>(*this)) {}

// By now the derived class, and with it deallocate(), is gone. A backend whose destructor did not
// call pool().trim(), or which tensors outlived, loses that memory: better than a call into
// nothing.
Backend::~Backend() {
  if (pool_->stats().held_bytes != 0) static_cast<void>(pool_.release());
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

// Functions of one and of two numbers on the device (kernels/elementwise.cl).
#include "backends/opencl/run.h"

namespace limulus {
namespace opencl {
namespace {

// Names as in the .cl file: where OpenCL C has a function of that name, with an underscore.
const char* kernel_of(UnaryOp op, bool backward) {
  switch (op) {
    case UnaryOp::neg:
      return backward ? "neg_backward" : "neg";
    case UnaryOp::exp:
      return backward ? "exp_backward" : "exp_";
    case UnaryOp::log:
      return backward ? "log_backward" : "log_";
    case UnaryOp::sqrt:
      return backward ? "sqrt_backward" : "sqrt_";
    case UnaryOp::square:
      return backward ? "square_backward" : "square";
    case UnaryOp::abs:
      return backward ? "abs_backward" : "abs_";
    case UnaryOp::relu:
      return backward ? "relu_backward" : "relu";
    case UnaryOp::sigmoid:
      return backward ? "sigmoid_backward" : "sigmoid";
    case UnaryOp::tanh:
      return backward ? "tanh_backward" : "tanh_";
  }
  return "";
}

const char* kernel_of(BinaryOp op) {
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
      return "max_";
    case BinaryOp::min:
      return "min_";
  }
  return "";
}

bool reads_x(UnaryOp op) {
  return op == UnaryOp::log || op == UnaryOp::square || op == UnaryOp::abs;
}

struct Broadcast {  // the same as in kernels/elementwise.cl
  cl_long rank = 0, size[8] = {}, stride_a[8] = {}, stride_b[8] = {};
};

// Axes that both operands walk in one stride become one axis: the longer the last one, the longer
// the vector loop. Axes of size 1 vanish; a scalar becomes an axis of size 1.
Broadcast merged(const BroadcastShape& s) {
  Broadcast m;
  for (int axis = 0; axis < s.rank; ++axis) {
    if (s.size[axis] == 1) continue;
    if (m.rank > 0 && m.stride_a[m.rank - 1] == s.size[axis] * s.stride_a[axis] &&
        m.stride_b[m.rank - 1] == s.size[axis] * s.stride_b[axis]) {
      m.size[m.rank - 1] *= s.size[axis];
    } else {
      m.size[m.rank++] = s.size[axis];
    }
    m.stride_a[m.rank - 1] = s.stride_a[axis];
    m.stride_b[m.rank - 1] = s.stride_b[axis];
  }
  if (m.rank == 0) m.size[m.rank++] = 1;
  return m;
}

// Runs of the last axis, for all the others.
Items runs(const Runtime& r, const Broadcast& m) {
  Items items = {ceil_div(m.size[m.rank - 1], r.tuning().run), 1, 1};
  for (int axis = 0; axis + 1 < m.rank; ++axis) items[1] *= m.size[axis];
  return items;
}

Items runs(const Runtime& r, std::int64_t n) { return {ceil_div(n, r.tuning().run), 1, 1}; }

}  // namespace
}  // namespace opencl

void OpenClBackend::unary(DType dtype, UnaryOp op, std::int64_t n, const void* x, void* y) {
  using namespace opencl;
  run(dtype, name_of(op), Shape{n}, [&](Runtime& r) {
    r.launch("elementwise", dtype, kernel_of(op, false), runs(r, n), x, y, n);
  });
}

void OpenClBackend::unary_backward(DType dtype, UnaryOp op, std::int64_t n, const void* x,
                                   const void* y, const void* dy, void* dx) {
  using namespace opencl;
  run(dtype, "unary_backward", Shape{n}, [&](Runtime& r) {
    // neg reads neither: whatever is given, dy stands in.
    const void* z = op == UnaryOp::neg ? dy : reads_x(op) ? x : y;
    r.launch("elementwise", dtype, kernel_of(op, true), runs(r, n), z, dy, dx, n);
  });
}

void OpenClBackend::binary(DType dtype, BinaryOp op, const BroadcastShape& s, const void* a,
                           const void* b, void* y) {
  using namespace opencl;
  run(dtype, name_of(op), s, [&](Runtime& r) {
    const Broadcast m = merged(s);
    r.launch("elementwise", dtype, kernel_of(op), runs(r, m), a, b, m, y);
  });
}

void OpenClBackend::select_backward(DType dtype, BinaryOp op, const BroadcastShape& s, bool second,
                                    const void* a, const void* b, const void* dy, void* dx) {
  using namespace opencl;
  run(dtype, "select_backward", s, [&](Runtime& r) {
    const Broadcast m = merged(s);
    r.launch("elementwise", dtype,
             op == BinaryOp::max ? "max_select_backward" : "min_select_backward", runs(r, m), a, b,
             m, second ? 1 : 0, dy, dx);
  });
}

void OpenClBackend::affine(DType dtype, std::int64_t n, double scale, double shift, const void* x,
                           void* y) {
  using namespace opencl;
  run(dtype, "affine", Shape{n}, [&](Runtime& r) {
    r.launch("elementwise", dtype, "affine", runs(r, n), x, y, n, Real{scale}, Real{shift});
  });
}

void OpenClBackend::accumulate(DType dtype, std::int64_t n, const void* x, void* y) {
  using namespace opencl;
  run(dtype, "accumulate", Shape{n},
      [&](Runtime& r) { r.launch("elementwise", dtype, "accumulate", runs(r, n), x, y, n); });
}

}  // namespace limulus

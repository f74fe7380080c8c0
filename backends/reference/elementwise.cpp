// Functions of one and of two numbers, element by element, and their gradients.
//
//     op        neg   exp   log   sqrt     square   abs       relu       sigmoid         tanh
//     f(x)      -x    e^x   ln x  x^(1/2)  x^2      |x|       max(x, 0)  1/(1 + e^-x)    tanh x
//     f'(x)     -1    y     1/x   1/(2y)   2x       sign x    [y > 0]    y (1 - y)       1 - y^2
//
// In the last row y = f(x): where the derivative is simplest in y, x need not be kept.
// Values are computed in double and rounded once.
#include <cmath>

#include "backends/reference/dispatch.h"
#include "backends/reference/reference_backend.h"

namespace limulus {
namespace reference {
namespace {

double value_of(UnaryOp op, double x) {
  switch (op) {
    case UnaryOp::neg:
      return -x;
    case UnaryOp::exp:
      return std::exp(x);
    case UnaryOp::log:
      return std::log(x);
    case UnaryOp::sqrt:
      return std::sqrt(x);
    case UnaryOp::square:
      return x * x;
    case UnaryOp::abs:
      return std::abs(x);
    case UnaryOp::relu:
      return x < 0 ? 0 : x;  // and not x > 0 ? x : 0, which would hide a NaN
    case UnaryOp::sigmoid:
      return 1 / (1 + std::exp(-x));
    case UnaryOp::tanh:
      return std::tanh(x);
  }
  return x;  // not reached
}

// dy f'(x), with y = f(x). Of x and y, only the one that the table above names is read. If f is
// flat, relu and abs block dy altogether: a product would let 0 * inf = NaN through. If x is
// NaN, dx is NaN, here as in the products of the other functions: a broken value must not look
// flat.
double gradient_of(UnaryOp op, double x, double y, double dy) {
  switch (op) {
    case UnaryOp::neg:
      return -dy;
    case UnaryOp::exp:
      return dy * y;
    case UnaryOp::log:
      return dy / x;
    case UnaryOp::sqrt:
      return dy / (2 * y);
    case UnaryOp::square:
      return dy * 2 * x;
    case UnaryOp::abs:
      return x > 0 ? dy : x < 0 ? -dy : std::isnan(x) ? x : 0;
    case UnaryOp::relu:
      return y > 0 ? dy : std::isnan(y) ? y : 0;
    case UnaryOp::sigmoid:
      return dy * y * (1 - y);
    case UnaryOp::tanh:
      return dy * (1 - y) * (1 + y);
  }
  return dy;  // not reached
}

// Which operand max and min choose: a when they are equal, and a NaN wherever it is.
bool chooses_b(BinaryOp op, double a, double b) {
  const bool a_stays = op == BinaryOp::max ? a >= b : a <= b;
  return !a_stays && !std::isnan(a);
}

double value_of(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::add:
      return a + b;
    case BinaryOp::sub:
      return a - b;
    case BinaryOp::mul:
      return a * b;
    case BinaryOp::div:
      return a / b;
    case BinaryOp::max:
    case BinaryOp::min:
      return chooses_b(op, a, b) ? b : a;
  }
  return a;  // not reached
}

// Calls visit(i, ia, ib) for each element of the result: i counts them, and ia and ib say where the
// operands stand. A stride of 0 keeps an operand in its place along that axis: that is
// broadcasting.
template <class Visit>
void for_broadcast(const BroadcastShape& s, Visit visit) {
  std::int64_t count = 1;
  for (int axis = 0; axis < s.rank; ++axis) count *= s.size[axis];
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t rest = i, ia = 0, ib = 0;
    for (int axis = s.rank - 1; axis >= 0; --axis) {  // the last index runs fastest
      const std::int64_t index = rest % s.size[axis];
      rest /= s.size[axis];
      ia += index * s.stride_a[axis];
      ib += index * s.stride_b[axis];
    }
    visit(i, ia, ib);
  }
}

}  // namespace
}  // namespace reference

void ReferenceBackend::unary(DType dtype, UnaryOp op, std::int64_t n, const void* x, void* y) {
  using namespace reference;
  const auto trace = traced(name_of(op), Shape{n});
  dispatch(dtype, [&]<class T>() {
    for (std::int64_t i = 0; i < n; ++i) as<T>(y)[i] = static_cast<T>(value_of(op, as<T>(x)[i]));
  });
}

void ReferenceBackend::unary_backward(DType dtype, UnaryOp op, std::int64_t n, const void* x,
                                      const void* y, const void* dy, void* dx) {
  using namespace reference;
  const auto trace = traced("unary_backward", Shape{n});
  dispatch(dtype, [&]<class T>() {
    const auto at = [](const void* array, std::int64_t i) {  // x or y may be null, and is not used
      return array == nullptr ? 0.0 : double{as<T>(array)[i]};
    };
    for (std::int64_t i = 0; i < n; ++i)
      as<T>(dx)[i] = static_cast<T>(gradient_of(op, at(x, i), at(y, i), as<T>(dy)[i]));
  });
}

void ReferenceBackend::binary(DType dtype, BinaryOp op, const BroadcastShape& s, const void* a,
                              const void* b, void* y) {
  using namespace reference;
  const auto trace = traced(name_of(op), s);
  dispatch(dtype, [&]<class T>() {
    for_broadcast(s, [&](std::int64_t i, std::int64_t ia, std::int64_t ib) {
      as<T>(y)[i] = static_cast<T>(value_of(op, as<T>(a)[ia], as<T>(b)[ib]));
    });
  });
}

void ReferenceBackend::select_backward(DType dtype, BinaryOp op, const BroadcastShape& s,
                                       bool second, const void* a, const void* b, const void* dy,
                                       void* dx) {
  using namespace reference;
  const auto trace = traced("select_backward", s);
  dispatch(dtype, [&]<class T>() {
    for_broadcast(s, [&](std::int64_t i, std::int64_t ia, std::int64_t ib) {
      const bool chosen = chooses_b(op, as<T>(a)[ia], as<T>(b)[ib]) == second;
      as<T>(dx)[i] = chosen ? as<T>(dy)[i] : T{0};
    });
  });
}

}  // namespace limulus

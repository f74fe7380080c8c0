// Functions of one argument, and their gradients dx = dy f'(x).
//
//   neg   exp   log   sqrt        square   abs    relu        sigmoid        tanh
//   -x    e^x   ln x  x^(1/2)     x^2      |x|    max(x, 0)   1/(1 + e^-x)   tanh x
//   -1    y     1/x   1/(2 y)     2 x      +-1    [y > 0]     y (1 - y)      1 - y^2
//
// The last row is f', written in y where that is simplest. Where x is NaN, so is dx, in relu and
// abs as in the others. simd_math.h has the series. Measured
// (one core of an AMD EPYC, Zen 5, AVX-512, 32 M floats): relu 49 GB/s, exp 46, tanh 38, sigmoid
// 36, log 35. A copy runs at 46 there, and two cores get 55 together: even these are bound by
// memory.
#include "backends/cpu/kernels/kernels.h"
#include "backends/cpu/kernels/simd/parallel.h"
#include "backends/cpu/kernels/simd/simd_math.h"

namespace limulus::cpu::LIMULUS_ISA {
namespace {

template <class T, class F>
LIMULUS_INLINE void map(const Context& ctx, std::int64_t n, const T* x, T* y, F f) {
  for_elements(ctx, n, 2, x == y ? nullptr : y, [=](auto at) { at.store(y, f(at.load(x))); });
}

// dx = f(dy, z), where z is x or y
template <class T, class F>
LIMULUS_INLINE void map_gradient(const Context& ctx, std::int64_t n, const T* z, const T* dy, T* dx,
                                 F f) {
  T* only_written = dx == dy || dx == z ? nullptr : dx;
  for_elements(ctx, n, 3, only_written, [=](auto at) { at.store(dx, f(at.load(dy), at.load(z))); });
}

// Keeps a load and the selection after it apart. Joined into one, as the compiler likes to, the
// load waits for the mask, which waits for another load: relu's gradient then has half as many
// cache lines under way, and takes 2.3 ms instead of 1.7 (conv1's output at batch 32, one core,
// AVX-512).
template <class T>
LIMULUS_INLINE Vec<T> loaded(Vec<T> a) {
  touch(&a);
  return a;
}

// The gradient where f is flat: 0, or NaN where the value is NaN.
template <class T>
LIMULUS_INLINE Vec<T> flat_or_nan(Vec<T> a) {
  return select(is_nan(a), a, Vec<T>::zero());
}

}  // namespace

template <class T>
void unary(const Context& ctx, UnaryOp op, std::int64_t n, const T* x, T* y) {
  using V = Vec<T>;
  switch (op) {
    case UnaryOp::neg:
      return map(ctx, n, x, y, [](V a) { return neg(a); });
    case UnaryOp::exp:
      return map(ctx, n, x, y, [](V a) { return exp(a); });
    case UnaryOp::log:
      return map(ctx, n, x, y, [](V a) { return log(a); });
    case UnaryOp::sqrt:
      return map(ctx, n, x, y, [](V a) { return sqrt(a); });
    case UnaryOp::square:
      return map(ctx, n, x, y, [](V a) { return a * a; });
    case UnaryOp::abs:
      return map(ctx, n, x, y, [](V a) { return abs(a); });
    case UnaryOp::relu:  // NaN stays NaN: a broken activation must not look healthy
      return map(ctx, n, x, y, [](V a) { return select(V::zero() > a, V::zero(), a); });
    case UnaryOp::sigmoid:
      return map(ctx, n, x, y, [](V a) { return sigmoid(a); });
    case UnaryOp::tanh:
      return map(ctx, n, x, y, [](V a) { return tanh(a); });
  }
}

template <class T>
void unary_backward(const Context& ctx, UnaryOp op, std::int64_t n, const T* x, const T* y,
                    const T* dy, T* dx) {
  using V = Vec<T>;
  switch (op) {
    case UnaryOp::neg:
      return map(ctx, n, dy, dx, [](V d) { return neg(d); });
    case UnaryOp::exp:
      return map_gradient(ctx, n, y, dy, dx, [](V d, V e) { return d * e; });
    case UnaryOp::log:
      return map_gradient(ctx, n, x, dy, dx, [](V d, V a) { return d / a; });
    case UnaryOp::sqrt:
      return map_gradient(ctx, n, y, dy, dx, [](V d, V r) { return d / (r + r); });
    case UnaryOp::square:
      return map_gradient(ctx, n, x, dy, dx, [](V d, V a) { return d * (a + a); });
    case UnaryOp::abs:
      return map_gradient(ctx, n, x, dy, dx, [](V d, V a) {
        const V right = select(a > V::zero(), d, flat_or_nan(a));
        return select(V::zero() > a, neg(d), right);
      });
    case UnaryOp::relu:
      return map_gradient(ctx, n, y, dy, dx, [](V d, V r) {
        return select(r > V::zero(), loaded(d), flat_or_nan(r));
      });
    case UnaryOp::sigmoid:
      return map_gradient(ctx, n, y, dy, dx, [](V d, V s) { return d * s * (V::set(1) - s); });
    case UnaryOp::tanh:  // (1 - t)(1 + t) rather than 1 - t^2, which loses digits near t = 1
      return map_gradient(ctx, n, y, dy, dx,
                          [](V d, V t) { return d * ((V::set(1) - t) * (V::set(1) + t)); });
  }
}

template void unary(const Context&, UnaryOp, std::int64_t, const float*, float*);
template void unary(const Context&, UnaryOp, std::int64_t, const double*, double*);
template void unary_backward(const Context&, UnaryOp, std::int64_t, const float*, const float*,
                             const float*, float*);
template void unary_backward(const Context&, UnaryOp, std::int64_t, const double*, const double*,
                             const double*, double*);

}  // namespace limulus::cpu::LIMULUS_ISA

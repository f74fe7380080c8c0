#include "core/algebra.h"

#include <fmt/core.h>

#include "core/autograd.h"
#include "core/axis.h"
#include "core/error.h"

namespace limulus {
namespace {

// ---- broadcasting ---------------------------------------------------------------------------

// The strides with which `shape` is read as if it had the sizes of `out`: 0 along stretched axes.
// Neighbouring axes that are walked evenly by both operands become one, so that a kernel sees few
// axes: two equal shapes become one of rank 1.
BroadcastShape plan(const Shape& a, const Shape& b, const Shape& out, const char* op) {
  BroadcastShape s;
  std::int64_t step_a = 1, step_b = 1;
  std::vector<std::array<std::int64_t, 3>> axes;  // size, stride_a, stride_b; innermost first
  for (int i = 1; i <= out.rank(); ++i) {
    const std::int64_t size = out[-i];
    const std::int64_t size_a = i <= a.rank() ? a[-i] : 1, size_b = i <= b.rank() ? b[-i] : 1;
    const std::int64_t stride_a = size_a == 1 ? 0 : step_a, stride_b = size_b == 1 ? 0 : step_b;
    step_a *= size_a;
    step_b *= size_b;
    if (size == 1) continue;
    if (!axes.empty()) {
      auto& [n, sa, sb] = axes.back();
      if (stride_a == sa * n && stride_b == sb * n) {
        n *= size;
        continue;
      }
    }
    axes.push_back({size, stride_a, stride_b});
  }
  if (axes.empty()) axes.push_back({out.numel(), 0, 0});
  if (axes.size() > BroadcastShape::max_rank)
    throw ShapeError(fmt::format("{}: {} and {} need more than {} axes", op, a.str(), b.str(),
                                 BroadcastShape::max_rank));
  s.rank = static_cast<int>(axes.size());
  for (int i = 0; i < s.rank; ++i) {
    const auto& axis = axes[axes.size() - 1 - static_cast<std::size_t>(i)];
    s.size[i] = axis[0];
    s.stride_a[i] = axis[1];
    s.stride_b[i] = axis[2];
  }
  return s;
}

// a op b, not recorded.
Tensor compute(BinaryOp op, const Tensor& a, const Tensor& b) {
  check_same_place(name_of(op), a, b);
  const Shape shape = broadcast_shapes(a.shape(), b.shape(), name_of(op));
  Tensor y = Tensor::empty(shape, a.dtype(), a.backend());
  a.backend().binary(a.dtype(), op, plan(a.shape(), b.shape(), shape, name_of(op)), a.data(),
                     b.data(), y.mutable_data());
  return y;
}

Tensor scaled(const Tensor& x, double scale, double shift = 0) {
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.backend());
  x.backend().affine(x.dtype(), x.numel(), scale, shift, x.data(), y.mutable_data());
  return y;
}

// The part of dy that belongs to operand a (or b) of max(a, b) or min(a, b).
Tensor selected(BinaryOp op, bool second, const Tensor& a, const Tensor& b, const Tensor& dy) {
  Tensor dx = Tensor::empty(dy.shape(), dy.dtype(), dy.backend());
  dy.backend().select_backward(dy.dtype(), op, plan(a.shape(), b.shape(), dy.shape(), name_of(op)),
                               second, a.data(), b.data(), dy.data(), dx.mutable_data());
  return dx;
}

Tensor reduced(ReduceOp op, const Tensor& x, int axis) {  // the axis stays, with size 1
  const Axis a = around(x.shape(), axis);
  Tensor y = Tensor::empty(with_size(x.shape(), axis, 1), x.dtype(), x.backend());
  x.backend().reduce(x.dtype(), op, a.outer, a.len, a.inner, x.data(), y.mutable_data());
  return y;
}

Tensor stretched(const Tensor& x, const Shape& shape) {  // by broadcasting
  return compute(BinaryOp::add, x, Tensor::zeros(shape, x.dtype(), x.backend()));
}

// ---- the operations and their derivatives ---------------------------------------------------

struct Add : Op {
  const char* name() const override { return "add"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    return {needs(0) ? sum_to(dy, input_shape(0)) : Tensor(),
            needs(1) ? sum_to(dy, input_shape(1)) : Tensor()};
  }
};

struct Sub : Op {
  const char* name() const override { return "sub"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    return {needs(0) ? sum_to(dy, input_shape(0)) : Tensor(),
            needs(1) ? scaled(sum_to(dy, input_shape(1)), -1) : Tensor()};
  }
};

struct Mul : Op {  // d(ab) = b da + a db
  const char* name() const override { return "mul"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    const auto [a, b] = saved<2>();
    return {needs(0) ? sum_to(compute(BinaryOp::mul, dy, b), a.shape()) : Tensor(),
            needs(1) ? sum_to(compute(BinaryOp::mul, dy, a), b.shape()) : Tensor()};
  }
};

struct Div : Op {  // y = a/b:  da = dy / b,  db = -dy y / b
  const char* name() const override { return "div"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    const auto [b, y] = saved<2>();
    const Tensor da = compute(BinaryOp::div, dy, b);
    return {needs(0) ? sum_to(da, input_shape(0)) : Tensor(),
            needs(1) ? scaled(sum_to(compute(BinaryOp::mul, da, y), b.shape()), -1) : Tensor()};
  }
};

struct Select : Op {
  explicit Select(BinaryOp o) : op(o) {}
  const char* name() const override { return name_of(op); }
  std::vector<Tensor> backward(const Tensor& dy) override {
    const auto [a, b] = saved<2>();
    return {needs(0) ? sum_to(selected(op, false, a, b, dy), a.shape()) : Tensor(),
            needs(1) ? sum_to(selected(op, true, a, b, dy), b.shape()) : Tensor()};
  }
  BinaryOp op;
};

bool derivative_reads_result(UnaryOp op) {
  switch (op) {
    case UnaryOp::exp:
    case UnaryOp::sqrt:
    case UnaryOp::relu:
    case UnaryOp::sigmoid:
    case UnaryOp::tanh:
      return true;
    default:
      return false;
  }
}

struct Unary : Op {
  explicit Unary(UnaryOp o) : op(o) {}
  const char* name() const override { return name_of(op); }
  std::vector<Tensor> backward(const Tensor& dy) override {
    const auto [t] = saved<1>();  // y where the derivative is simplest in y, else x
    const bool by_result = derivative_reads_result(op);
    Tensor dx = Tensor::empty(dy.shape(), dy.dtype(), dy.backend());
    dy.backend().unary_backward(dy.dtype(), op, dy.numel(), by_result ? nullptr : t.data(),
                                by_result ? t.data() : nullptr, dy.data(), dx.mutable_data());
    return {dx};
  }
  UnaryOp op;
};

struct Affine : Op {
  explicit Affine(double s) : scale(s) {}
  const char* name() const override { return "affine"; }
  std::vector<Tensor> backward(const Tensor& dy) override { return {scaled(dy, scale)}; }
  double scale;
};

struct SumOne : Op {  // every value that was added receives the sum's gradient
  const char* name() const override { return "sum"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    return {stretched(dy, input_shape(0))};
  }
};

// Equal maxima share dy evenly: dx = dy / count where x is the maximum, else 0. Whichever of them
// one moved up, y would follow it alone, and none if one of several moved down; the mean of what
// the directions say keeps the sum of dx at dy.
struct Amax : Op {
  explicit Amax(int a) : axis(a) {}
  const char* name() const override { return "amax"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    const auto [x, y] = saved<2>();  // x is chosen by max(x, y) exactly where it equals y
    const Tensor ones = Tensor::full(x.shape(), 1, x.dtype(), x.backend());
    const Tensor chosen = selected(BinaryOp::max, false, x, y, ones);
    const Tensor share = compute(BinaryOp::div, dy, reduced(ReduceOp::sum, chosen, axis));
    return {selected(BinaryOp::max, false, x, y, stretched(share, x.shape()))};
  }
  int axis;
};

Tensor product(const Tensor& a, const Tensor& b, bool ta, bool tb) {
  GemmShape s;
  s.trans_a = ta;
  s.trans_b = tb;
  s.m = a.size(ta ? 1 : 0);
  s.k = a.size(ta ? 0 : 1);
  s.n = b.size(tb ? 0 : 1);
  s.lda = a.size(1);
  s.ldb = b.size(1);
  s.ldc = s.n;
  Tensor c = Tensor::empty({s.m, s.n}, a.dtype(), a.backend());
  a.backend().gemm(a.dtype(), s, a.data(), b.data(), c.mutable_data());
  return c;
}

// C = op(A) op(B). For plain factors dA = dC B^T and dB = A^T dC; a transposed factor has the
// transposed gradient, so the product is taken the other way around.
struct Matmul : Op {
  Matmul(bool a, bool b) : ta(a), tb(b) {}
  const char* name() const override { return "matmul"; }
  std::vector<Tensor> backward(const Tensor& dc) override {
    const auto [a, b] = saved<2>();
    Tensor da, db;
    if (needs(0)) da = ta ? product(b, dc, tb, true) : product(dc, b, false, !tb);
    if (needs(1)) db = tb ? product(dc, a, true, ta) : product(a, dc, !ta, false);
    return {da, db};
  }
  bool ta, tb;
};

Tensor drop_axis(const Tensor& y, int axis, bool keep) {
  return keep ? y : reshape(y, without(y.shape(), axis));
}

}  // namespace

// ---- the functions --------------------------------------------------------------------------

Tensor add(const Tensor& a, const Tensor& b) {
  return record<Add>(compute(BinaryOp::add, a, b), {a, b}, {});
}
Tensor sub(const Tensor& a, const Tensor& b) {
  return record<Sub>(compute(BinaryOp::sub, a, b), {a, b}, {});
}
Tensor mul(const Tensor& a, const Tensor& b) {
  return record<Mul>(compute(BinaryOp::mul, a, b), {a, b}, {a, b});
}
Tensor div(const Tensor& a, const Tensor& b) {
  const Tensor y = compute(BinaryOp::div, a, b);
  return record<Div>(y, {a, b}, {b, y});
}
Tensor maximum(const Tensor& a, const Tensor& b) {
  return record<Select>(compute(BinaryOp::max, a, b), {a, b}, {a, b}, BinaryOp::max);
}
Tensor minimum(const Tensor& a, const Tensor& b) {
  return record<Select>(compute(BinaryOp::min, a, b), {a, b}, {a, b}, BinaryOp::min);
}

Tensor unary(UnaryOp op, const Tensor& x) {
  check_floating(name_of(op), x);
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.backend());
  x.backend().unary(x.dtype(), op, x.numel(), x.data(), y.mutable_data());
  return record<Unary>(y, {x}, {derivative_reads_result(op) ? y : x}, op);
}

Tensor affine(const Tensor& x, double scale, double shift) {
  check_floating("affine", x);
  return record<Affine>(scaled(x, scale, shift), {x}, {}, scale);
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  Tensor y = x;
  const int extra = x.shape().rank() - shape.rank();
  for (int i = 0; i < x.shape().rank(); ++i) {
    const std::int64_t wanted = i < extra ? 1 : shape[i - extra];
    if (wanted == 1 && y.size(i) != 1) y = reduced(ReduceOp::sum, y, i);
  }
  return y.shape() == shape ? y : y.view(shape);
}

Tensor sum(const Tensor& x) {
  check_floating("sum", x);
  const Tensor y = reduced(ReduceOp::sum, x.view({x.numel()}), 0).view({});
  return record<SumOne>(y, {x}, {});
}

Tensor mean(const Tensor& x) {
  if (x.numel() == 0)
    throw ShapeError(fmt::format("mean: shape {} has no values", x.shape().str()));
  return sum(x) / static_cast<double>(x.numel());
}

Tensor sum(const Tensor& x, int axis, bool keep) {
  check_floating("sum", x);
  const int a = checked_axis("sum", x.shape(), axis);
  return drop_axis(record<SumOne>(reduced(ReduceOp::sum, x, a), {x}, {}), a, keep);
}

Tensor mean(const Tensor& x, int axis, bool keep) {
  const int a = checked_axis("mean", x.shape(), axis);
  if (x.size(a) == 0)
    throw ShapeError(fmt::format("mean: axis {} of shape {} is empty", axis, x.shape().str()));
  return sum(x, a, keep) / static_cast<double>(x.size(a));
}

Tensor amax(const Tensor& x, int axis, bool keep) {
  check_floating("amax", x);
  const int a = checked_axis("amax", x.shape(), axis);
  if (x.size(a) == 0)
    throw ShapeError(fmt::format("amax: axis {} of shape {} is empty", axis, x.shape().str()));
  const Tensor y = reduced(ReduceOp::max, x, a);
  return drop_axis(record<Amax>(y, {x}, {x, y}, a), a, keep);
}

Tensor matmul(const Tensor& a, const Tensor& b, bool trans_a, bool trans_b) {
  check_same_place("matmul", a, b);
  if (a.shape().rank() != 2 || b.shape().rank() != 2)
    throw ShapeError(
        fmt::format("matmul: needs two matrices, not {} and {}", a.shape().str(), b.shape().str()));
  const std::int64_t k = a.size(trans_a ? 0 : 1), other = b.size(trans_b ? 1 : 0);
  if (k != other)
    throw ShapeError(fmt::format("matmul: {}{} x {}{}: the inner sizes {} and {} differ",
                                 a.shape().str(), trans_a ? "^T" : "", b.shape().str(),
                                 trans_b ? "^T" : "", k, other));
  return record<Matmul>(product(a, b, trans_a, trans_b), {a, b}, {a, b}, trans_a, trans_b);
}

}  // namespace limulus

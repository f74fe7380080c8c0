#pragma once
// Differentiable arithmetic on tensors: what layers and losses are composed of.
//
// Every function returns a new tensor, records itself when an argument requires a gradient, and
// throws ShapeError, DTypeError or DeviceError when its arguments do not fit. Binary operations
// broadcast: shapes are aligned at the right and sizes of 1 are stretched, so that a bias
// [K, 1, 1] can be added to images [N, K, H, W].
#include <initializer_list>
#include <vector>

#include "core/tensor.h"

namespace limulus {

// -- elementwise, two tensors ------------------------------------------------------------------
Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);
// Where equal, the gradient goes to a; where one is NaN, to that one, and where both are, to a.
Tensor maximum(const Tensor& a, const Tensor& b);
Tensor minimum(const Tensor& a, const Tensor& b);

// -- elementwise, one tensor -------------------------------------------------------------------
Tensor unary(UnaryOp op, const Tensor& x);
inline Tensor neg(const Tensor& x) { return unary(UnaryOp::neg, x); }
inline Tensor exp(const Tensor& x) { return unary(UnaryOp::exp, x); }
inline Tensor log(const Tensor& x) { return unary(UnaryOp::log, x); }
inline Tensor sqrt(const Tensor& x) { return unary(UnaryOp::sqrt, x); }
inline Tensor square(const Tensor& x) { return unary(UnaryOp::square, x); }
inline Tensor abs(const Tensor& x) { return unary(UnaryOp::abs, x); }
Tensor affine(const Tensor& x, double scale, double shift);  // scale x + shift

// -- reductions --------------------------------------------------------------------------------
Tensor sum(const Tensor& x);   // of all values: shape []
Tensor mean(const Tensor& x);  // of all values: shape []
// Over one axis (negative: from the end), which becomes 1, or disappears without `keep`.
Tensor sum(const Tensor& x, int axis, bool keep = false);
Tensor mean(const Tensor& x, int axis, bool keep = false);
// The maximum; equal maxima share the gradient evenly (all of -inf, where every value is). A NaN is
// the maximum wherever it stands, and several share the gradient like equal numbers. Over several
// axes at once: reshape them into one first, or the shares are even in each axis by itself.
Tensor amax(const Tensor& x, int axis, bool keep = false);

// -- matrices ----------------------------------------------------------------------------------
// [m, k] x [k, n] -> [m, n]; with a flag, that factor is given transposed.
Tensor matmul(const Tensor& a, const Tensor& b, bool trans_a = false, bool trans_b = false);

// -- shapes ------------------------------------------------------------------------------------
// One size of a list may be -1: it is computed from the others.
Tensor reshape(const Tensor& x, const Shape& shape);
Tensor reshape(const Tensor& x, std::initializer_list<std::int64_t> sizes);
Tensor flatten(const Tensor& x, int first_axis = 1);  // [N, C, H, W] -> [N, C*H*W]
Tensor concat(const std::vector<Tensor>& parts, int axis);
Tensor narrow(const Tensor& x, int axis, std::int64_t start, std::int64_t length);  // a copy

// -- devices -----------------------------------------------------------------------------------
Tensor to(const Tensor& x, Backend& backend);  // the gradient travels back

// -- operators ---------------------------------------------------------------------------------
inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator-(const Tensor& x) { return neg(x); }
inline Tensor operator+(const Tensor& x, double s) { return affine(x, 1, s); }
inline Tensor operator-(const Tensor& x, double s) { return affine(x, 1, -s); }
inline Tensor operator*(const Tensor& x, double s) { return affine(x, s, 0); }
inline Tensor operator/(const Tensor& x, double s) { return affine(x, 1 / s, 0); }
inline Tensor operator+(double s, const Tensor& x) { return affine(x, 1, s); }
inline Tensor operator-(double s, const Tensor& x) { return affine(x, -1, s); }
inline Tensor operator*(double s, const Tensor& x) { return affine(x, s, 0); }

// The sum of `x` over the axes that broadcasting stretched `shape` along: what the gradient of a
// broadcast operand is. Not recorded.
Tensor sum_to(const Tensor& x, const Shape& shape);

}  // namespace limulus

// Operations that move values without computing: reshape, concat, narrow, to. Their derivatives
// move the gradient back the same way.
#include <fmt/core.h>

#include "core/algebra.h"
#include "core/autograd.h"
#include "core/axis.h"
#include "core/error.h"

namespace limulus {
namespace {

struct Reshape : Op {
  const char* name() const override { return "reshape"; }
  std::vector<Tensor> backward(const Tensor& dy) override { return {dy.view(input_shape(0))}; }
};

// Copies a slab of `count` steps along an axis between a large and a small tensor.
void copy_slab(const Tensor& src, const Axis& from, std::int64_t from_start, Tensor& dst,
               const Axis& into, std::int64_t into_start, std::int64_t count) {
  BlockShape s;
  s.rows = from.outer;
  s.cols = count * from.inner;
  s.src_offset = from_start * from.inner;
  s.src_stride = from.len * from.inner;
  s.dst_offset = into_start * into.inner;
  s.dst_stride = into.len * into.inner;
  src.backend().copy_block(src.dtype(), s, src.data(), dst.mutable_data());
}

Tensor slice(const Tensor& x, int axis, std::int64_t start, std::int64_t length) {
  Tensor y = Tensor::empty(with_size(x.shape(), axis, length), x.dtype(), x.backend());
  copy_slab(x, around(x.shape(), axis), start, y, around(y.shape(), axis), 0, length);
  return y;
}

struct Concat : Op {
  explicit Concat(int a) : axis(a) {}
  const char* name() const override { return "concat"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    std::vector<Tensor> dx;
    std::int64_t start = 0;
    for (std::size_t i = 0; i < input_count(); ++i) {
      const std::int64_t length = input_shape(i)[axis];
      dx.push_back(needs(i) ? slice(dy, axis, start, length) : Tensor());
      start += length;
    }
    return dx;
  }
  int axis;
};

struct Narrow : Op {
  Narrow(int a, std::int64_t s) : axis(a), start(s) {}
  const char* name() const override { return "narrow"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    Tensor dx = Tensor::zeros(input_shape(0), dy.dtype(), dy.backend());
    copy_slab(dy, around(dy.shape(), axis), 0, dx, around(dx.shape(), axis), start, dy.size(axis));
    return {dx};
  }
  int axis;
  std::int64_t start;
};

struct To : Op {
  explicit To(Backend& b) : home(b) {}
  const char* name() const override { return "to"; }
  std::vector<Tensor> backward(const Tensor& dy) override { return {to(dy, home)}; }
  Backend& home;
};

}  // namespace

Tensor reshape(const Tensor& x, const Shape& shape) {
  return record<Reshape>(x.view(shape), {x}, {});
}

Tensor reshape(const Tensor& x, std::initializer_list<std::int64_t> sizes) {
  std::vector<std::int64_t> known = sizes;
  std::int64_t* open = nullptr;
  std::int64_t product_of_others = 1;
  for (std::int64_t& size : known) {
    if (size == -1 && open != nullptr) throw ShapeError("reshape: only one size can be -1");
    if (size == -1)
      open = &size;
    else
      product_of_others *= size;
  }
  if (open != nullptr) {
    if (product_of_others == 0 || x.numel() % product_of_others != 0)
      throw ShapeError(fmt::format("reshape: {} has {} values, which {} does not divide",
                                   x.shape().str(), x.numel(), product_of_others));
    *open = x.numel() / product_of_others;
  }
  return reshape(x, Shape(known));
}

Tensor flatten(const Tensor& x, int first_axis) {
  const int first = checked_axis("flatten", x.shape(), first_axis);
  const auto& sizes = x.shape().sizes();
  std::vector<std::int64_t> flat(sizes.begin(), sizes.begin() + first);
  std::int64_t rest = 1;
  for (int i = first; i < x.shape().rank(); ++i) rest *= x.size(i);
  flat.push_back(rest);
  return reshape(x, Shape(flat));
}

Tensor concat(const std::vector<Tensor>& parts, int axis) {
  if (parts.empty()) throw ShapeError("concat: needs at least one tensor");
  const Tensor& first = parts[0];
  const int a = checked_axis("concat", first.shape(), axis);
  std::int64_t total = 0;
  for (const Tensor& p : parts) {
    check_same_place("concat", first, p);
    if (p.shape().rank() != first.shape().rank() ||
        with_size(p.shape(), a, 0) != with_size(first.shape(), a, 0))
      throw ShapeError(fmt::format("concat: {} and {} differ outside axis {}", first.shape().str(),
                                   p.shape().str(), axis));
    total += p.size(a);
  }
  Tensor y = Tensor::empty(with_size(first.shape(), a, total), first.dtype(), first.backend());
  const Axis whole = around(y.shape(), a);
  std::int64_t start = 0;
  for (const Tensor& p : parts) {
    copy_slab(p, around(p.shape(), a), 0, y, whole, start, p.size(a));
    start += p.size(a);
  }
  return record<Concat>(y, parts, {}, a);
}

Tensor narrow(const Tensor& x, int axis, std::int64_t start, std::int64_t length) {
  const int a = checked_axis("narrow", x.shape(), axis);
  if (start < 0 || length < 0 || start > x.size(a) || length > x.size(a) - start)
    throw ShapeError(fmt::format("narrow: [{}, {} + {}) is not inside axis {} of {}", start, start,
                                 length, axis, x.shape().str()));
  return record<Narrow>(slice(x, a, start, length), {x}, {}, a, start);
}

Tensor to(const Tensor& x, Backend& backend) {
  if (&backend == &x.backend()) return x;
  Tensor y = Tensor::empty(x.shape(), x.dtype(), backend);
  copy_values(x, y);
  return record<To>(y, {x}, {}, x.backend());
}

}  // namespace limulus

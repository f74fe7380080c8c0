// Assignment 3: convolution and its gradients, compared with the library's textbook loops (the
// backend "reference"), by class of shape.
#include "judge.h"

#include "backends/registry.h"
#include "core/algebra.h"
#include "layers/conv2d.h"

namespace course {
namespace {

using namespace limulus;

// ---- shapes ----------------------------------------------------------------------------------

// What a class of cases may have; all else is as simple as it can be.
struct Class {
  std::int64_t images = 1, pad = 0, stride = 1, dilation = 1, groups = 1;
};
constexpr Class kPlain{.images = 2}, kPadding{.pad = 3}, kStride{.pad = 1, .stride = 3},
    kDilation{.pad = 2, .dilation = 3}, kGroups{.pad = 1, .groups = 3},
    kAll{.images = 2, .pad = 2, .stride = 2, .dilation = 2, .groups = 2};

// From 1 to `most`, but never 1 where the class is about more than that.
std::int64_t of_class(Rng& rng, std::int64_t most) { return most == 1 ? 1 : between(rng, 2, most); }

Integers random_sizes(Rng& rng, const Class& c, bool odd) {
  // Never a square, so that rows and columns cannot be exchanged unnoticed.
  const std::int64_t fh = between(rng, 1, 3), fw = fh % 3 + 1;
  const std::int64_t g = of_class(rng, c.groups), d = of_class(rng, c.dilation);
  const std::int64_t s = of_class(rng, c.stride), p = c.pad == 0 ? 0 : between(rng, 1, c.pad);
  std::int64_t h = d * (fh - 1) + 1 + between(rng, 1, 4), w = d * (fw - 1) + 1 + between(rng, 1, 4);
  if (odd) h += 1 - h % 2, w += 1 - w % 2;
  if (h == w) w += odd ? 2 : 1;
  const std::int64_t cg = between(rng, 1, 3), kg = between(rng, 1, 3);
  return {between(rng, c.images, c.images + 1),
          g * cg,
          h,
          w,
          g * kg,
          fh,
          fw,
          s,
          p,
          d,
          g,
          Window1d::make(h, fh, s, p, d, false, "conv2d", "height").out,
          Window1d::make(w, fw, s, p, d, false, "conv2d", "width").out};
}

struct Sized {  // one call's sizes under their names, in the order in which "shape" lists them
  explicit Sized(const Integers& v)
      : n(v[0]),
        c(v[1]),
        h(v[2]),
        w(v[3]),
        k(v[4]),
        fh(v[5]),
        fw(v[6]),
        stride(v[7]),
        pad(v[8]),
        dilation(v[9]),
        groups(v[10]),
        oh(v[11]),
        ow(v[12]) {}
  std::int64_t n, c, h, w, k, fh, fw, stride, pad, dilation, groups, oh, ow;

  Shape x() const { return {n, c, h, w}; }
  Shape weight() const { return {k, c / groups, fh, fw}; }
  Shape y() const { return {n, k, oh, ow}; }
  Conv2dOptions options() const {
    return {.stride = stride, .pad = pad, .dilation = dilation, .groups = groups};
  }
  std::string described() const {
    return "x " + x().str() + ", w " + weight().str() + ", stride " + std::to_string(stride) +
           ", pad " + std::to_string(pad) + ", dilation " + std::to_string(dilation) + ", groups " +
           std::to_string(groups);
  }
};

Record call(Rng& rng, const char* function, const Integers& sizes) {
  const Sized s(sizes);
  Record r;
  r.put("call", std::string(function));
  r.put("what", std::string(function) + ": " + s.described());
  r.put("shape", sizes);
  const auto random = [&](const char* name, const Shape& shape) {
    r.put(name, shape.sizes(), normal(rng, shape.numel()));
  };
  random("x", s.x());
  random("w", s.weight());
  random("b", {s.k});
  random("dy", s.y());
  return r;
}

template <const Class& c, bool odd = false>
std::vector<Record> make(Rng& rng, const char* function) {
  std::vector<Record> calls;
  while (calls.size() < 5) calls.push_back(call(rng, function, random_sizes(rng, c, odd)));
  return calls;
}

// ---- what is right ---------------------------------------------------------------------------

Tensor tensor(const Doubles& values, const Shape& shape) {
  return Tensor::from(values, shape, device("reference"));
}

void check_forward(const Record& in, const Record& out) {
  const Sized s(in.integers("shape"));
  const Tensor y = conv2d(tensor(in.doubles("x"), s.x()), tensor(in.doubles("w"), s.weight()),
                          tensor(in.doubles("b"), {s.k}), s.options());
  compare("y", s.y(), y.to_vector<double>(), out.doubles("y"));
}

void check_backward(const Record& in, const Record& out) {
  const Sized s(in.integers("shape"));
  Tensor x = tensor(in.doubles("x"), s.x()), w = tensor(in.doubles("w"), s.weight());
  Tensor b = tensor(in.doubles("b"), {s.k});
  for (Tensor* t : {&x, &w, &b}) t->set_requires_grad();
  const Tensor y = conv2d(x, w, b, s.options());
  y.backward(tensor(in.doubles("dy"), s.y()));
  const auto one = [&](const char* name, const Tensor& t, auto f) {
    const Doubles values = t.to_vector<double>(), result = y.to_vector<double>();
    const auto moved = [&](const Doubles& v) {
      const NoGrad values_only;
      return f(tensor(v, t.shape())).template to_vector<double>();
    };
    compare_gradient({name, t.shape(), s.y(), values, result, in.doubles("dy"), moved},
                     t.grad().to_vector<double>(), out.doubles(name));
  };
  const std::string& function = in.text("call");
  if (function == "conv2d_backward_weight")
    one("dw", w, [&](const Tensor& t) { return conv2d(x, t, b, s.options()); });
  else if (function == "conv2d_backward_bias")
    one("db", b, [&](const Tensor& t) { return conv2d(x, w, t, s.options()); });
  else
    one("dx", x, [&](const Tensor& t) { return conv2d(t, w, b, s.options()); });
}

// ---- 3.4: im2col is a convolution with filters that pick one tap each -------------------------

struct Columns {
  explicit Columns(const Sized& s)
      : taps(s.c * s.fh * s.fw), picks(static_cast<std::size_t>(taps * taps)) {
    for (std::int64_t t = 0; t < taps; ++t) picks[static_cast<std::size_t>(t * taps + t)] = 1;
  }
  std::int64_t taps;
  Doubles picks;  // [taps, c, fh, fw]
};

Integers one_image(Rng& rng, const Class& c) {
  Integers sizes = random_sizes(rng, c, false);
  sizes[0] = 1;
  return sizes;
}

template <const Class& c>
std::vector<Record> make_im2col(Rng& rng, bool back) {
  std::vector<Record> calls;
  while (calls.size() < 5) {
    const Integers sizes = one_image(rng, c);
    const Sized s(sizes);
    Record r;
    r.put("call", std::string(back ? "col2im" : "im2col"));
    r.put("what", r.text("call") + ": image [" + std::to_string(s.c) + ", " + std::to_string(s.h) +
                      ", " + std::to_string(s.w) + "], taps " + std::to_string(s.fh) + " x " +
                      std::to_string(s.fw) + ", stride " + std::to_string(s.stride) + ", pad " +
                      std::to_string(s.pad) + ", dilation " + std::to_string(s.dilation));
    r.put("shape", sizes);
    if (back)
      r.put("columns", {s.c * s.fh * s.fw, s.oh * s.ow},
            normal(rng, s.c * s.fh * s.fw * s.oh * s.ow));
    else
      r.put("x", {s.c, s.h, s.w}, normal(rng, s.c * s.h * s.w));
    calls.push_back(r);
  }
  return calls;
}

Conv2dOptions ungrouped(const Sized& s) {
  Conv2dOptions options = s.options();
  options.groups = 1;
  return options;
}

void check_im2col(const Record& in, const Record& out) {
  const Sized s(in.integers("shape"));
  const Columns all(s);
  const Tensor y = conv2d(tensor(in.doubles("x"), s.x()),
                          tensor(all.picks, {all.taps, s.c, s.fh, s.fw}), Tensor(), ungrouped(s));
  compare("columns", Shape{all.taps, s.oh * s.ow}, y.to_vector<double>(), out.doubles("columns"));
}
void check_col2im(const Record& in, const Record& out) {
  const Sized s(in.integers("shape"));
  const Columns all(s);
  Tensor x = tensor(Doubles(static_cast<std::size_t>(s.c * s.h * s.w)), s.x());
  x.set_requires_grad();
  const Tensor y =
      conv2d(x, tensor(all.picks, {all.taps, s.c, s.fh, s.fw}), Tensor(), ungrouped(s));
  y.backward(tensor(in.doubles("columns"), {1, all.taps, s.oh, s.ow}));
  compare("dx", Shape{s.c, s.h, s.w}, x.grad().to_vector<double>(), out.doubles("dx"));
}

// ---- 3.5 -------------------------------------------------------------------------------------

std::vector<Record> make_matmul(Rng& rng) {
  std::vector<Record> calls;
  for (int i = 0; i < 6; ++i) {
    const std::int64_t m = between(rng, 1, 9), n = m % 7 + 2, p = between(rng, 1, 12);
    Record r;
    r.put("call", std::string("matmul"));
    r.put("what", "matmul: [" + std::to_string(m) + ", " + std::to_string(p) + "] x [" +
                      std::to_string(p) + ", " + std::to_string(n) + "]");
    r.put("a", {m, p}, normal(rng, m * p));
    r.put("b", {p, n}, normal(rng, p * n));
    calls.push_back(r);
  }
  return calls;
}
void check_matmul(const Record& in, const Record& out) {
  const Shape a(in.shape("a")), b(in.shape("b"));
  const Tensor c = matmul(tensor(in.doubles("a"), a), tensor(in.doubles("b"), b));
  compare("c", c.shape(), c.to_vector<double>(), out.doubles("c"));
}

// A case for each function and class.
template <const Class& c, bool odd = false>
void add_class(std::vector<Case>& all, const char* name) {
  const auto with = [&](const char* prefix, auto maker, auto check) {
    all.push_back({std::string(prefix) + name, maker, check});
  };
  with(
      "forward_", +[](Rng& r) { return make<c, odd>(r, "conv2d_forward"); }, check_forward);
  with(
      "product_", +[](Rng& r) { return make<c, odd>(r, "conv2d_by_product"); }, check_forward);
  with(
      "weight_", +[](Rng& r) { return make<c, odd>(r, "conv2d_backward_weight"); }, check_backward);
  with(
      "bias_", +[](Rng& r) { return make<c, odd>(r, "conv2d_backward_bias"); }, check_backward);
  with(
      "input_", +[](Rng& r) { return make<c, odd>(r, "conv2d_backward_input"); }, check_backward);
  with(
      "im2col_", +[](Rng& r) { return make_im2col<c>(r, false); }, check_im2col);
  with(
      "col2im_", +[](Rng& r) { return make_im2col<c>(r, true); }, check_col2im);
}

}  // namespace

const std::vector<Case>& cases() {
  static const std::vector<Case> all = [] {
    std::vector<Case> list = {{"matmul", make_matmul, check_matmul}};
    add_class<kPlain>(list, "plain");
    add_class<kPlain, true>(list, "odd");
    add_class<kPadding>(list, "padding");
    add_class<kStride>(list, "stride");
    add_class<kDilation>(list, "dilation");
    add_class<kGroups>(list, "groups");
    add_class<kAll>(list, "all");
    return list;
  }();
  return all;
}

}  // namespace course

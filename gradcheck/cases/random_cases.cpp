#include "gradcheck/cases/random_cases.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/algebra.h"
#include "core/rng.h"
#include "layers/activation.h"
#include "layers/avg_pool2d.h"
#include "layers/batch_norm2d.h"
#include "layers/conv2d.h"
#include "layers/cross_entropy.h"
#include "layers/dropout.h"
#include "layers/linear.h"
#include "layers/local_response_norm.h"
#include "layers/max_pool2d.h"
#include "layers/softmax.h"

namespace limulus {
namespace {

using In = std::vector<Tensor>;
using Json = nlohmann::ordered_json;
using Function = std::function<Tensor(const In&)>;

class Draw {
 public:
  Draw(std::uint64_t seed, std::int64_t number)
      : rng_(seed, stream_of("random case", static_cast<std::uint64_t>(number))) {}
  // low, low + 1 ... high
  std::int64_t whole(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(high - low + 1)));
  }
  bool coin() { return rng_.below(2) == 0; }
  template <class T>
  T one_of(std::initializer_list<T> values) {
    return *(values.begin() + rng_.below(values.size()));
  }
  Size2d size(std::int64_t low, std::int64_t high) {
    const std::int64_t h = whole(low, high);
    return coin() ? Size2d(h) : Size2d(h, whole(low, high));
  }
  Shape shape(int rank, std::int64_t low, std::int64_t high) {
    std::vector<std::int64_t> sizes;
    for (int i = 0; i < rank; ++i) sizes.push_back(whole(low, high));
    return Shape(sizes);
  }

 private:
  Rng rng_;
};

Json pair(const Size2d& s) { return {s.h, s.w}; }

RandomCase make(const char* layer, Json settings, std::vector<CaseInput> inputs, Function f) {
  settings["layer"] = layer;
  return {{layer, "", std::move(inputs), std::move(f)}, settings.dump()};
}

// ---- one function for each layer ---------------------------------------------------------------

// An axis just long enough for the last tap of the first window, and a bit more.
std::int64_t length(Draw& d, std::int64_t kernel, std::int64_t pad, std::int64_t dilation) {
  return std::max<std::int64_t>(dilation * (kernel - 1) + 1 - pad, 1) + d.whole(0, 4);
}

RandomCase conv(Draw& d, bool with_relu) {
  Conv2dOptions o;
  o.kernel = d.size(1, 4);
  o.stride = d.size(1, 3);
  o.dilation = with_relu ? Size2d(1) : d.size(1, 2);
  o.pad = Size2d(d.whole(0, std::min<std::int64_t>(o.kernel.h - 1, 2)),
                 d.whole(0, std::min<std::int64_t>(o.kernel.w - 1, 2)));
  o.groups = d.whole(1, 3);
  o.bias = d.coin();
  const std::int64_t n = d.whole(1, 2), c = o.groups * d.whole(1, 2),
                     k = o.groups * d.whole(with_relu ? 2 : 1, 3);
  const std::int64_t more = with_relu ? 4 : 0;  // so many results that they are not all below 0
  const Shape x = {n, c, length(d, o.kernel.h, o.pad.h, o.dilation.h) + more,
                   length(d, o.kernel.w, o.pad.w, o.dilation.w) + more};
  const Shape w = {k, c / o.groups, o.kernel.h, o.kernel.w};
  std::vector<CaseInput> inputs = {{"x", x}, {"w", w}};
  if (o.bias) inputs.push_back({"b", {k}, with_relu ? Fill::positive : Fill::normal});
  const Json settings = {{"stride", pair(o.stride)},
                         {"pad", pair(o.pad)},
                         {"dilation", pair(o.dilation)},
                         {"groups", o.groups}};
  if (!with_relu)
    return make("conv2d", settings, inputs,
                [o](const In& in) { return conv2d(in[0], in[1], o.bias ? in[2] : Tensor(), o); });
  return make("conv2d+relu", settings, inputs, [o](const In& in) {
    Conv2d layer(in[0].size(1), in[1].size(0), o, in[0].backend(), in[0].dtype());
    layer.weight = in[1];
    if (o.bias) layer.bias = in[2];
    return layer.forward_fused(in[0], ReLU());
  });
}

RandomCase pool(Draw& d, bool max) {
  Pool2dOptions o;
  o.kernel = d.size(1, 4);
  o.stride = d.size(1, 3);
  o.pad = Size2d(d.whole(0, o.kernel.h / 2), d.whole(0, o.kernel.w / 2));
  o.ceil = d.coin();
  o.count_include_pad = d.coin();
  const Shape x = {d.whole(1, 2), d.whole(1, 3), length(d, o.kernel.h, o.pad.h, 1) + 2,
                   length(d, o.kernel.w, o.pad.w, 1) + 2};
  // Values that may tie: where they do there is no derivative, and the checker must see it.
  return make(max ? "max_pool2d" : "avg_pool2d",
              {{"kernel", pair(o.kernel)},
               {"stride", pair(*o.stride)},
               {"pad", pair(o.pad)},
               {"ceil", o.ceil},
               {"count_include_pad", o.count_include_pad}},
              {{"x", x, max ? Fill::coarse : Fill::normal}},
              [=](const In& in) { return max ? max_pool2d(in[0], o) : avg_pool2d(in[0], o); });
}

RandomCase lrn(Draw& d, bool within) {
  LrnOptions o;
  o.size = d.whole(1, 6);
  o.alpha = d.one_of({1e-4, 0.01, 0.5, 1.0, 5.0});
  o.beta = d.one_of({0.5, 0.75, 1.0});
  o.k = d.one_of({1.0, 2.0});
  o.convention = d.coin() ? AlphaConvention::paper : AlphaConvention::per_element;
  o.region = within ? LrnRegion::within_channel : LrnRegion::across_channels;
  const Shape x = {d.whole(1, 2), d.whole(1, within ? 3 : 9), d.whole(1, 5), d.whole(1, 5)};
  return make(within ? "lrn_within" : "lrn_across",
              {{"size", o.size},
               {"alpha", lrn_shape(x, o).alpha},  // as used: divided already, if it is
               {"beta", o.beta},
               {"k", o.k}},
              {{"x", x}}, [o](const In& in) { return local_response_norm(in[0], o); });
}

RandomCase function(Draw& d) {
  const UnaryOp op =
      d.one_of({UnaryOp::neg, UnaryOp::exp, UnaryOp::log, UnaryOp::sqrt, UnaryOp::square,
                UnaryOp::abs, UnaryOp::relu, UnaryOp::sigmoid, UnaryOp::tanh});
  const bool positive = op == UnaryOp::log || op == UnaryOp::sqrt;
  const double scale = d.one_of({1e-3, 1.0, 1.0, 4.0});
  return make(name_of(op), {{"scale", scale}},
              {{"x", {d.whole(2, 5), d.whole(7, 19)}, positive ? Fill::positive : Fill::coarse}},
              [=](const In& in) { return unary(op, in[0] * scale); });
}

RandomCase arithmetic(Draw& d) {
  struct Row {
    const char* name;
    Tensor (*f)(const Tensor&, const Tensor&);
  };
  const Row row =
      d.one_of<Row>({{"add", add}, {"sub", sub}, {"mul", mul}, {"div", div}, {"maximum", maximum}});
  std::vector<std::int64_t> a, b;
  for (int axis = 0; axis < 3; ++axis) {
    const std::int64_t size = d.whole(axis < 2 ? 2 : 5, 7);
    a.push_back(size);
    b.push_back(axis < 2 && d.coin() ? 1 : size);  // broadcast
  }
  const bool divides = std::string(row.name) == "div";
  return make(row.name, {},
              {{"a", Shape(a)}, {"b", Shape(b), divides ? Fill::nonzero : Fill::normal}},
              [f = row.f](const In& in) { return f(in[0], in[1]); });
}

RandomCase reduction(Draw& d) {
  const int axis = static_cast<int>(d.whole(0, 2));
  const bool keep = d.coin();
  const std::int64_t kind = d.whole(0, 2);
  const char* name = kind == 0 ? "sum" : kind == 1 ? "mean" : "amax";
  return make(name, {{"axis", axis}, {"keep", keep}},
              {{"x", d.shape(3, 1, 6), kind == 2 ? Fill::distinct : Fill::normal}},
              [=](const In& in) {
                return kind == 0   ? sum(in[0], axis, keep)
                       : kind == 1 ? mean(in[0], axis, keep)
                                   : amax(in[0], axis, keep);
              });
}

RandomCase product(Draw& d) {
  const std::int64_t m = d.whole(1, 9), k = d.whole(1, 17), n = d.whole(1, 9);
  const bool ta = d.coin(), tb = d.coin();
  return make("matmul", {{"trans_a", ta}, {"trans_b", tb}},
              {{"a", ta ? Shape{k, m} : Shape{m, k}}, {"b", tb ? Shape{n, k} : Shape{k, n}}},
              [=](const In& in) { return matmul(in[0], in[1], ta, tb); });
}

RandomCase fully_connected(Draw& d) {
  const std::int64_t n = d.whole(1, 5), in_features = d.whole(1, 19), out = d.whole(1, 9);
  const bool bias = d.coin();
  std::vector<CaseInput> inputs = {{"x", {n, in_features}}, {"w", {out, in_features}}};
  if (bias) inputs.push_back({"b", {out}});
  return make("linear", {}, inputs,
              [bias](const In& in) { return linear(in[0], in[1], bias ? in[2] : Tensor()); });
}

RandomCase probabilities(Draw& d) {
  const double scale = d.one_of({0.1, 1.0, 4.0});
  return make("softmax", {{"scale", scale}}, {{"x", {d.whole(1, 6), d.whole(2, 19)}}},
              [scale](const In& in) { return softmax(in[0] * scale); });
}

RandomCase loss(Draw& d) {
  const std::int64_t n = d.whole(1, 9), classes = d.whole(2, 19);
  const double scale = d.one_of({0.1, 1.0, 10.0});
  return make("cross_entropy", {{"scale", scale}},
              {{"x", {n, classes}}, {"labels", {n}, Fill::labels, classes}},
              [scale](const In& in) { return cross_entropy(in[0] * scale, in[1]); });
}

RandomCase dropped(Draw& d) {
  const double p = d.one_of({0.1, 0.5, 0.8});
  const PhiloxKey key{static_cast<std::uint64_t>(d.whole(1, 1000)), 1};
  return make("dropout", {{"p", p}}, {{"x", {d.whole(3, 9), d.whole(7, 19)}}},
              [=](const In& in) { return dropout(in[0], p, key); });
}

RandomCase normalized(Draw& d) {
  const Shape x = {d.whole(2, 4), d.whole(1, 4), d.whole(2, 4), d.whole(2, 4)};
  const bool training = d.coin();
  const Shape channels = {x[1]};
  return make("batch_norm2d", {{"training", training}, {"eps", 1e-3}, {"mean", 0.25}, {"var", 1.5}},
              {{"x", x}, {"weight", channels, Fill::nonzero}, {"bias", channels}},
              [=](const In& in) {
                const Tensor& w = in[1];
                const Tensor mean = Tensor::full(channels, 0.25, w.dtype(), w.backend());
                const Tensor var = Tensor::full(channels, 1.5, w.dtype(), w.backend());
                return batch_norm2d(in[0], w, in[2], mean, var, training, {0.1, 1e-3});
              });
}

}  // namespace

RandomCase random_case(std::uint64_t seed, std::int64_t number) {
  using Maker = RandomCase (*)(Draw&);
  constexpr Maker makers[] = {[](Draw& d) { return conv(d, false); },
                              [](Draw& d) { return conv(d, true); },
                              [](Draw& d) { return pool(d, true); },
                              [](Draw& d) { return pool(d, false); },
                              [](Draw& d) { return lrn(d, false); },
                              [](Draw& d) { return lrn(d, true); },
                              function,
                              arithmetic,
                              reduction,
                              product,
                              fully_connected,
                              probabilities,
                              loss,
                              dropped,
                              normalized};
  Draw d(seed, number);
  RandomCase r = makers[static_cast<std::size_t>(number) % std::size(makers)](d);
  std::string shapes;
  for (const CaseInput& in : r.c.inputs) shapes += fmt::format(" {}{}", in.name, in.shape.str());
  r.c.name = fmt::format("random {}:{}{} {}", seed, number, shapes, r.settings);
  return r;
}

}  // namespace limulus

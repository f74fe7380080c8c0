// The layers one by one: sizes, errors, values worked out by hand, and what their modules add.
// Gradients of every layer are checked by the table of cases (op_cases), not here.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <numeric>

#include "backends/registry.h"
#include "core/algebra.h"
#include "core/buffer_pool.h"
#include "core/error.h"
#include "core/rng.h"
#include "layers/activation.h"
#include "layers/avg_pool2d.h"
#include "layers/batch_norm2d.h"
#include "layers/conv2d.h"
#include "layers/cross_entropy.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/init.h"
#include "layers/linear.h"
#include "layers/local_response_norm.h"
#include "layers/max_pool2d.h"
#include "layers/softmax.h"

using namespace limulus;

namespace {

Backend& reference() { return device("reference"); }

Tensor numbers(const Shape& shape, std::uint64_t seed, Backend& backend = reference()) {
  Tensor t = Tensor::empty(shape, DType::f64, backend);
  Rng rng(seed);
  fill_normal(t, 0, 1, rng);
  return t;
}

Tensor of(const std::vector<double>& values, const Shape& shape) {
  return Tensor::from(values, shape, reference());
}

void check_close(const Tensor& t, const std::vector<double>& expected, double tolerance = 1e-12) {
  const auto values = t.to_doubles();
  REQUIRE(values.size() == expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    CAPTURE(i);
    CHECK(values[i] == doctest::Approx(expected[i]).epsilon(tolerance));
  }
}

}  // namespace

TEST_CASE("conv2d: values by hand, with stride, padding and groups") {
  // A 3x3 image 1..9, one kernel of ones 2x2: sums of 2x2 blocks, plus the bias.
  const Tensor x = of({1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 1, 3, 3});
  const Tensor w = of({1, 1, 1, 1}, {1, 1, 2, 2}), b = of({0.5}, {1});
  check_close(conv2d(x, w, b), {12.5, 16.5, 24.5, 28.5});
  check_close(conv2d(x, w, Tensor(), {.stride = 2, .pad = 1}), {1, 5, 11, 28});
  // Taps two apart see the corners.
  check_close(conv2d(x, w, Tensor(), {.dilation = 2}), {20});

  // Two groups: output 0 sees channel 0 only, output 1 channel 1 only.
  const Tensor two = of({1, 2, 3, 4}, {1, 2, 1, 2});
  const Tensor scale = of({10, 100}, {2, 1, 1, 1});
  check_close(conv2d(two, scale, Tensor(), {.groups = 2}), {10, 20, 300, 400});
}

TEST_CASE("conv2d: errors show the arithmetic") {
  const auto size = [](const Shape& x, const Shape& w, const Conv2dOptions& o = {}) {
    conv2d_shape(x, w, o);
  };
  CHECK_THROWS_WITH_AS(size({1, 3, 227, 227}, {96, 4, 11, 11}),
                       "conv2d: input has 3 channels but the weight [96, 4, 11, 11] expects 4",
                       ShapeError);
  CHECK_THROWS_WITH_AS(
      size({1, 96, 27, 27}, {256, 96, 5, 5}, {.groups = 2}),
      "conv2d: input has 96 channels but the weight [256, 96, 5, 5] expects 96 * 2 groups = 192",
      ShapeError);
  CHECK_THROWS_WITH_AS(size({1, 3, 8, 8}, {4, 1, 3, 3}, {.groups = 2}),
                       "conv2d: 3 input channels cannot be cut into 2 groups: 3 = 2 * 1 + 1",
                       ShapeError);
  CHECK_THROWS_WITH_AS(size({1, 4, 8, 8}, {5, 2, 3, 3}, {.groups = 2}),
                       "conv2d: 5 output channels cannot be cut into 2 groups: 5 = 2 * 2 + 1",
                       ShapeError);
  CHECK_THROWS_WITH_AS(
      size({1, 3, 2, 9}, {4, 3, 3, 3}),
      "conv2d: window 3 is larger than the padded input 2 (height): floor((2 - 3 + 2*0)/1) + 1 = 0",
      ShapeError);
  CHECK_THROWS_WITH_AS(size({3, 8, 8}, {4, 3, 3, 3}),
                       "conv2d: the input must be images [N, C, H, W], not [3, 8, 8]", ShapeError);
  CHECK_THROWS_WITH_AS(size({1, 3, 8, 8}, {4, 3, 3, 3}, {.groups = 0}),
                       "conv2d: groups 0 must be 1 or more", ValueError);
  CHECK_THROWS_WITH_AS(conv2d(numbers({1, 3, 8, 8}, 1), numbers({4, 3, 3, 3}, 2), numbers({3}, 3)),
                       "conv2d: the bias is [3] but 4 output channels need [4]", ShapeError);
}

TEST_CASE("conv2d: the module computes what the function computes, under PyTorch's names") {
  Conv2d conv(4, 6, {.kernel = {3, 2}, .stride = 2, .pad = 1, .groups = 2}, reference(),
              DType::f64);
  Rng rng(5);
  init::he_normal(conv.weight, rng);
  init::uniform(conv.bias, -1, 1, rng);
  const Tensor x = numbers({2, 4, 7, 6}, 4);
  CHECK(conv(x).to_doubles() == conv2d(x, conv.weight, conv.bias, conv.options).to_doubles());
  const auto parameters = conv.parameters();
  REQUIRE(parameters.size() == 2);
  CHECK(parameters[0].first == "weight");
  CHECK(parameters[0].second.shape() == Shape{6, 2, 3, 2});
  CHECK(parameters[1].first == "bias");
  CHECK(conv(x).shape() == conv.walk(x.shape())[0].out);
  const Conv2d plain(4, 6, {.kernel = 3, .bias = false}, reference());
  CHECK(plain.parameters().size() == 1);
  CHECK_THROWS_AS(Conv2d(3, 6, {.kernel = 3, .groups = 2}, reference()), ShapeError);
}

TEST_CASE("conv2d: gradients that nobody needs are neither computed nor kept for") {
  Tensor w = numbers({2, 3, 3, 3}, 1), b = numbers({2}, 2);
  w.set_requires_grad();
  Tensor x = numbers({1, 3, 5, 5}, 3);  // an image: no gradient
  const long before = x.impl()->storage.use_count();
  Tensor y = conv2d(x, w, b);
  CHECK(x.impl()->storage.use_count() == before + 1);  // dw needs x
  sum(y).backward();
  CHECK(w.grad().defined());
  CHECK_FALSE(x.grad().defined());
  CHECK_FALSE(b.grad().defined());

  w.set_requires_grad(false);
  x.set_requires_grad();
  y = conv2d(x, w, b);
  CHECK(x.impl()->storage.use_count() == before);  // dx needs w alone
  sum(y).backward();
  CHECK(x.grad().shape() == x.shape());
}

TEST_CASE("pooling: values by hand, floor and ceil") {
  std::vector<double> values(16);
  std::iota(values.begin(), values.end(), 1);
  const Tensor x = of(values, {1, 1, 4, 4});
  check_close(max_pool2d(x, {.kernel = 2}), {6, 8, 14, 16});
  check_close(max_pool2d(x, {.kernel = 3, .stride = 2}), {11});
  check_close(max_pool2d(x, {.kernel = 3, .stride = 2, .ceil = true}), {11, 12, 15, 16});
  check_close(avg_pool2d(x, {.kernel = 2}), {3.5, 5.5, 11.5, 13.5});
  check_close(avg_pool2d(x, {.kernel = 2, .pad = 1}), {0.25, 1.25, 1, 3.5, 8.5, 5, 3.25, 7.25, 4});
  check_close(avg_pool2d(x, {.kernel = 2, .pad = 1, .count_include_pad = false}),
              {1, 2.5, 4, 7, 8.5, 10, 13, 14.5, 16});
  CHECK_THROWS_WITH_AS(max_pool2d(x, {.kernel = 2, .pad = 2}),
                       "max_pool2d: padding 2 must be smaller than the window 2: a window would "
                       "hold nothing else",
                       ValueError);
  CHECK_THROWS_WITH_AS(avg_pool2d(of({1, 2}, {2}), {}),
                       "avg_pool2d: the input must be images [N, C, H, W], not [2]", ShapeError);
  CHECK_THROWS_WITH_AS(max_pool2d(of({1, 2, 3, 4}, {1, 1, 2, 2}), {.kernel = 3, .stride = 2}),
                       "max_pool2d: window 3 is larger than the padded input 2 (height): "
                       "floor((2 - 3 + 2*0)/2) + 1 = 0",
                       ShapeError);
}

TEST_CASE("max_pool2d: a plane that an i32 cannot name the places of is refused") {
  const MaxPool2d pool({.kernel = 2});
  CHECK(pool.walk({1, 1, 65536, 32767}).size() == 1);
  CHECK_THROWS_WITH_AS(pool.walk({1, 1, 65536, 32768}),
                       doctest::Contains("a plane of 65536 x 32768 values is too large"),
                       ShapeError);
}

TEST_CASE("max_pool2d: overlapping windows add up, ties go to the first") {
  Tensor x = of({1, 9, 2, 3, 3, 3}, {1, 1, 1, 6});
  x.set_requires_grad();
  const Tensor y = max_pool2d(x, {.kernel = {1, 3}, .stride = 1});
  check_close(y, {9, 9, 3, 3});
  y.backward(of({1, 10, 100, 1000}, {1, 1, 1, 4}));
  check_close(x.grad(), {0, 11, 0, 1100, 0, 0});
}

TEST_CASE("local_response_norm: both conventions, across and within") {
  const Tensor x = of({1, 2, 3, 4}, {1, 4, 1, 1});
  const LrnOptions paper = {.size = 3, .alpha = 0.5, .beta = 1, .k = 2};
  // s = 2 + 0.5 * (the sum of squares of the neighbours and itself)
  check_close(local_response_norm(x, paper),
              {1 / (2 + 0.5 * 5), 2 / (2 + 0.5 * 14), 3 / (2 + 0.5 * 29), 4 / (2 + 0.5 * 25)});
  LrnOptions divided = paper;
  divided.convention = AlphaConvention::per_element;
  check_close(local_response_norm(x, divided), {1 / (2 + 0.5 * 5 / 3), 2 / (2 + 0.5 * 14 / 3),
                                                3 / (2 + 0.5 * 29 / 3), 4 / (2 + 0.5 * 25 / 3)});
  LrnOptions within = divided;
  within.region = LrnRegion::within_channel;
  const Tensor row = of({1, 2, 3, 4}, {1, 1, 1, 4});  // 3x3 windows: alpha / 9
  check_close(local_response_norm(row, within), {1 / (2 + 0.5 * 5 / 9), 2 / (2 + 0.5 * 14 / 9),
                                                 3 / (2 + 0.5 * 29 / 9), 4 / (2 + 0.5 * 25 / 9)});
  CHECK_THROWS_AS(local_response_norm(x, {.size = 0}), ValueError);
  CHECK_THROWS_AS(local_response_norm(x, {.k = 0}), ValueError);
  CHECK_THROWS_AS(local_response_norm(x, {.alpha = std::nan("")}), ValueError);
  CHECK_THROWS_AS(local_response_norm(of({1}, {1})), ShapeError);
}

TEST_CASE("linear: values by hand, with and without a bias") {
  const Tensor x = of({1, 2, 3, 4, 5, 6}, {2, 3});
  const Tensor w = of({1, 0, 0, 1, 1, 1}, {2, 3}), b = of({10, 20}, {2});
  check_close(linear(x, w, b), {11, 26, 14, 35});
  check_close(linear(x, w, Tensor()), {1, 6, 4, 15});
  CHECK_THROWS_WITH_AS(linear(of({1, 2}, {1, 2}), w, b),
                       "linear: input has 2 values a row but the weight [2, 3] expects 3",
                       ShapeError);
  CHECK_THROWS_WITH_AS(linear(of({1, 2, 3}, {1, 3, 1, 1}), w, b),
                       "linear: the input must be rows [N, 3], not [1, 3, 1, 1]; put flatten() "
                       "before it",
                       ShapeError);
  CHECK_THROWS_WITH_AS(linear(x, w, of({1}, {1})), "linear: the bias is [1] but 2 outputs need [2]",
                       ShapeError);
}

TEST_CASE("linear: gradients equal those of the matrix product it stands for") {
  Tensor x = numbers({3, 5}, 1), w = numbers({4, 5}, 2), b = numbers({4}, 3);
  Tensor x2 = x.clone(), w2 = w.clone(), b2 = b.clone();
  for (Tensor* t : {&x, &w, &b, &x2, &w2, &b2}) t->set_requires_grad();
  const Tensor dy = numbers({3, 4}, 4);
  linear(x, w, b).backward(dy);
  (matmul(x2, w2, false, true) + b2).backward(dy);
  check_close(x.grad(), x2.grad().to_doubles());
  check_close(w.grad(), w2.grad().to_doubles());
  check_close(b.grad(), b2.grad().to_doubles());
}

TEST_CASE("activations: values, and gradients in place of dy only where dy is nobody else's") {
  const Tensor at = of({-1, 0, 2}, {3});
  check_close(relu(at), {0, 0, 2});
  check_close(sigmoid(at), {1 / (1 + std::exp(1.0)), 0.5, 1 / (1 + std::exp(-2.0))});
  check_close(limulus::tanh(at), {std::tanh(-1.0), 0, std::tanh(2.0)});
  CHECK(ReLU()(at).to_doubles() == relu(at).to_doubles());
  CHECK(Sigmoid()(at).to_doubles() == sigmoid(at).to_doubles());
  CHECK(Tanh()(at).to_doubles() == limulus::tanh(at).to_doubles());

  Tensor x = of({-1, 0, 2}, {3});
  x.set_requires_grad();
  const Tensor dy = of({5, 6, 7}, {3});
  relu(x).backward(dy);
  check_close(x.grad(), {0, 0, 7});
  check_close(dy, {5, 6, 7});  // the caller's

  // One dy that goes two ways: add hands the same tensor to both.
  Tensor a = of({-1, 1}, {2});
  a.set_requires_grad();
  const Tensor h = a * 1;
  (relu(h) + h * 3).backward(of({1, 1}, {2}));
  check_close(a.grad(), {3, 4});
}

TEST_CASE("dropout: keeps the mean, and its mask is a function of seed, step and name") {
  const Tensor ones = Tensor::full({100000}, 1, DType::f64, reference());
  const auto masked = dropout(ones, 0.3, {1, 2}).to_doubles();
  std::size_t dropped = 0;
  for (const double v : masked) {
    if (v == 0)
      ++dropped;
    else
      CHECK(v == doctest::Approx(1 / 0.7));
  }
  const double fraction = static_cast<double>(dropped) / 100000;
  CHECK(fraction == doctest::Approx(0.3).epsilon(0.03));  // 0.3 +- 6 standard deviations
  CHECK(dropout(ones, 0.3, {1, 2}).to_doubles() == masked);
  CHECK(dropout(ones, 0.3, {1, 3}).to_doubles() != masked);
  CHECK(dropout(ones, 0, {1, 2}).to_doubles() == ones.to_doubles());
  CHECK_THROWS_WITH_AS(dropout(ones, 1, {1, 2}),
                       "dropout: p 1 must be in [0, 1): values are divided by 1 - p", ValueError);
  CHECK_THROWS_AS(Dropout(-0.1), ValueError);

  Tensor x = ones.clone();
  x.set_requires_grad();
  sum(dropout(x, 0.3, {1, 2})).backward();
  CHECK(x.grad().to_doubles() == masked);  // the same mask, drawn again

  Sequential net;
  net.add<Dropout>("drop6").add<Dropout>("drop7");
  const auto masks = [&](std::uint64_t seed, std::uint64_t step) {
    net.set_random(seed, step);
    return net(ones).to_doubles();
  };
  const auto first = masks(7, 1);
  CHECK(masks(7, 2) != first);
  CHECK(masks(8, 1) != first);
  CHECK(masks(7, 1) == first);
  CHECK(net(ones).to_doubles() != first);  // a second pass in the step: another mask
  // The two layers drop different values: about a quarter is left.
  CHECK(std::accumulate(first.begin(), first.end(), 0.0) == doctest::Approx(1e5).epsilon(0.03));
  net.eval();
  CHECK(net(ones).to_doubles() == ones.to_doubles());
}

TEST_CASE("batch_norm2d: by hand, training and eval") {
  // One channel of values 1, 2, 3, 6 over a batch of two: mean 3, variance 14/4 biased, 14/3 not.
  // The other is constant.
  const Tensor x = of({1, 2, 5, 5, 3, 6, 5, 5}, {2, 2, 1, 2});
  BatchNorm2d norm(2, reference(), DType::f64, {.momentum = 0.1, .eps = 0.5});
  norm.weight.detach().copy_(of({2, 3}, {2}));
  norm.bias.detach().copy_(of({10, 20}, {2}));
  const double s = 2 / std::sqrt(3.5 + 0.5);
  const Tensor y = norm(x);
  check_close(y, {10 - 2 * s, 10 - s, 20, 20, 10, 10 + 3 * s, 20, 20});
  check_close(norm.running_mean, {0.3, 0.5});
  check_close(norm.running_var, {0.9 + 0.1 * 14 / 3, 0.9});
  CHECK_FALSE(norm.running_mean.requires_grad());

  norm.eval();
  const double e = 2 / std::sqrt(0.9 + 1.4 / 3 + 0.5), c = 3 / std::sqrt(0.9 + 0.5);
  check_close(norm(x), {10 + 0.7 * e, 10 + 1.7 * e, 20 + 4.5 * c, 20 + 4.5 * c, 10 + 2.7 * e,
                        10 + 5.7 * e, 20 + 4.5 * c, 20 + 4.5 * c});
  check_close(norm.running_mean, {0.3, 0.5});

  const auto buffers = norm.buffers();
  REQUIRE(buffers.size() == 2);
  CHECK(buffers[0].first == "running_mean");
  CHECK(buffers[1].first == "running_var");
  norm.train();
  CHECK_THROWS_AS(norm(of({1, 2}, {1, 2, 1, 1})), ValueError);
  CHECK_THROWS_WITH_AS(norm(of({1, 2, 3}, {1, 3, 1, 1})),
                       "batch_norm2d: input has 3 channels but the weight is [2]", ShapeError);
}

TEST_CASE("batch_norm2d: the gradient knows that mean and variance depend on x") {
  Tensor x = numbers({4, 3, 2, 2}, 1);
  x.set_requires_grad();
  const Tensor one = Tensor::full({3}, 1, DType::f64, reference());
  const Tensor zero = Tensor::zeros({3}, DType::f64, reference());
  batch_norm2d(x, one, zero, Tensor(), Tensor(), true).backward(numbers({4, 3, 2, 2}, 2));
  // y does not change when a constant is added to a channel: its gradients add up to 0.
  const auto total = sum(sum(sum(x.grad(), 3), 2), 0).to_doubles();
  for (const double t : total) CHECK(std::abs(t) < 1e-12);
  CHECK(std::abs(x.grad().to_doubles()[0]) > 1e-3);
}

TEST_CASE("softmax: rows add up to 1, large values do not overflow") {
  const Tensor y = softmax(of({0, 0, std::log(2.0), 1000, 1000, 0}, {2, 3}));
  check_close(y, {0.25, 0.25, 0.5, 0.5, 0.5, 0});
  CHECK(Softmax()(of({3, 3}, {1, 1, 2})).to_doubles() == std::vector<double>{0.5, 0.5});
  Tensor x = of({0, 0, std::log(2.0)}, {1, 3});
  x.set_requires_grad();
  softmax(x).backward(of({1, 0, 0}, {1, 3}));
  check_close(x.grad(), {0.25 * 0.75, -0.25 * 0.25, -0.25 * 0.5});
  CHECK_THROWS_AS(softmax(Tensor::zeros({2, 0}, DType::f64, reference())), ShapeError);
}

TEST_CASE("cross_entropy: values and gradient by hand; labels are checked") {
  Tensor logits = of({0, 0, std::log(2.0), 0, 0, std::log(2.0)}, {2, 3});
  logits.set_requires_grad();
  const Tensor labels = Tensor::from(std::vector<std::int64_t>{2, 0}, {2}, reference());
  check_close(cross_entropy_each(logits, labels), {std::log(2.0), std::log(4.0)});
  const Tensor loss = cross_entropy(logits, labels);
  CHECK(loss.item() == doctest::Approx(1.5 * std::log(2.0)));
  loss.backward();
  check_close(logits.grad(), {0.125, 0.125, -0.25, -0.375, 0.125, 0.25});

  const auto with = [&](std::int64_t label) {
    return cross_entropy(logits,
                         Tensor::from(std::vector<std::int64_t>{0, label}, {2}, reference()));
  };
  CHECK_THROWS_WITH_AS(with(3), "cross_entropy: labels[1] is 3, but 3 classes are numbered 0 to 2",
                       ValueError);
  CHECK_THROWS_WITH_AS(
      with(-1), "cross_entropy: labels[1] is -1, but 3 classes are numbered 0 to 2", ValueError);
  CHECK_THROWS_AS(cross_entropy(logits, of({0, 1}, {2})), DTypeError);
  CHECK_THROWS_AS(
      cross_entropy(logits, Tensor::from(std::vector<std::int64_t>{0}, {1}, reference())),
      ShapeError);
}

TEST_CASE("init: spread follows the fans") {
  const auto measure = [](const std::function<void(Tensor&, Rng&)>& f) {
    Tensor t = Tensor::empty({50, 40, 5, 5}, DType::f64, reference());
    Rng rng(3);
    f(t, rng);
    const double m = mean(t).item();
    return std::pair{m, std::sqrt(mean(square(t - m)).item())};
  };
  CHECK(init::fan_in({50, 40, 5, 5}) == 1000);
  CHECK(init::fan_out({50, 40, 5, 5}) == 1250);
  CHECK(init::fan_in({10, 7}) == 7);
  CHECK_THROWS_AS(init::fan_in({10}), ShapeError);
  for (const auto& f : {init::he_normal, init::he_uniform}) {
    const auto [m, deviation] = measure(f);
    CHECK(std::abs(m) < 0.001);
    CHECK(deviation == doctest::Approx(std::sqrt(2.0 / 1000)).epsilon(0.02));
  }
  for (const auto& f : {init::xavier_normal, init::xavier_uniform})
    CHECK(measure(f).second == doctest::Approx(std::sqrt(2.0 / 2250)).epsilon(0.02));
  const auto pytorch = [](Tensor& t, Rng& rng) { init::pytorch_default(t, 1000, rng); };
  CHECK(measure(pytorch).second == doctest::Approx(std::sqrt(1.0 / 3000)).epsilon(0.02));
}

TEST_CASE("an image batch of size 0 passes through every layer") {
  const Tensor none = Tensor::zeros({0, 2, 4, 4}, DType::f64, reference());
  const Tensor w = numbers({3, 2, 3, 3}, 1), b = numbers({3}, 2);
  CHECK(conv2d(none, w, b).shape() == Shape{0, 3, 2, 2});
  CHECK(max_pool2d(none, {}).shape() == Shape{0, 2, 2, 2});
  CHECK(avg_pool2d(none, {}).shape() == Shape{0, 2, 2, 2});
  CHECK(local_response_norm(none).shape() == none.shape());
  CHECK(linear(flatten(none), numbers({5, 32}, 3), Tensor()).shape() == Shape{0, 5});
}

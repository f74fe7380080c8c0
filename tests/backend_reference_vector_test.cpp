// The reference backend against values that were worked out by hand, second part: elementwise
// operations, reductions, softmax, and the step of learning.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "core/error.h"
#include "reference_check.h"

using namespace limulus;

TEST_CASE_TEMPLATE("unary operations and their gradients", T, float, double) {
  struct Case {
    UnaryOp op;
    double x, y, slope;
  };
  const double e = std::exp(1.0), t = std::tanh(0.5), s = 1 / (1 + std::exp(-2.0));
  const Case cases[] = {{UnaryOp::neg, 3, -3, -1},
                        {UnaryOp::exp, 1, e, e},
                        {UnaryOp::log, 4, std::log(4), 0.25},
                        {UnaryOp::sqrt, 16, 4, 0.125},
                        {UnaryOp::square, 3, 9, 6},
                        {UnaryOp::abs, -3, 3, -1},
                        {UnaryOp::abs, 3, 3, 1},
                        {UnaryOp::abs, 0, 0, 0},
                        {UnaryOp::relu, -2, 0, 0},
                        {UnaryOp::relu, 2, 2, 1},
                        {UnaryOp::relu, 0, 0, 0},
                        {UnaryOp::relu, not_a_number, not_a_number, not_a_number},
                        {UnaryOp::sigmoid, 0, 0.5, 0.25},
                        {UnaryOp::sigmoid, 2, s, s * (1 - s)},
                        {UnaryOp::sigmoid, -1000, 0, 0},
                        {UnaryOp::tanh, 0.5, t, 1 - t * t}};
  for (const Case& c : cases) {
    CAPTURE(name_of(c.op));
    CAPTURE(c.x);
    const std::vector<T> x = {static_cast<T>(c.x)}, dy = {2};
    std::vector<T> y(1), dx(1);
    reference().unary(dtype_of<T>, c.op, 1, x.data(), y.data());
    check_equal(y, {static_cast<T>(c.y)});
    // As the contract says, one of x and y may be missing.
    const bool reads_y = c.op == UnaryOp::exp || c.op == UnaryOp::sqrt || c.op == UnaryOp::relu ||
                         c.op == UnaryOp::sigmoid || c.op == UnaryOp::tanh;
    reference().unary_backward(dtype_of<T>, c.op, 1, reads_y ? nullptr : x.data(),
                               reads_y ? y.data() : nullptr, dy.data(), dx.data());
    check_equal(dx, {static_cast<T>(2 * c.slope)});
  }
}

TEST_CASE_TEMPLATE("unary in place", T, float, double) {
  std::vector<T> x = {-1, 2};
  reference().unary(dtype_of<T>, UnaryOp::relu, 2, x.data(), x.data());
  check_equal(x, {0, 2});
}

TEST_CASE_TEMPLATE("binary operations, broadcast", T, float, double) {
  // a [2, 3] and b [3], repeated for each row.
  const BroadcastShape s = {.rank = 2, .size = {2, 3}, .stride_a = {3, 1}, .stride_b = {0, 1}};
  const std::vector<T> a = {1, 2, 3, 4, 5, 6}, b = {2, 4, 3};
  const auto run = [&](BinaryOp op) {
    std::vector<T> y(6);
    reference().binary(dtype_of<T>, op, s, a.data(), b.data(), y.data());
    return y;
  };
  check_equal(run(BinaryOp::add), {3, 6, 6, 6, 9, 9});
  check_equal(run(BinaryOp::sub), {-1, -2, 0, 2, 1, 3});
  check_equal(run(BinaryOp::mul), {2, 8, 9, 8, 20, 18});
  check_equal(run(BinaryOp::div), {0.5, 0.5, 1, 2, 1.25, 2});
  check_equal(run(BinaryOp::max), {2, 4, 3, 4, 5, 6});
  check_equal(run(BinaryOp::min), {1, 2, 3, 2, 4, 3});
}

TEST_CASE_TEMPLATE("select_backward: the chosen operand gets dy, ties go to a", T, float, double) {
  const BroadcastShape s = {.rank = 1, .size = {4}, .stride_a = {1}, .stride_b = {1}};
  const T q = static_cast<T>(not_a_number);
  const std::vector<T> a = {1, 5, 3, q}, b = {2, 4, 3, 1}, dy = {10, 20, 30, 40};
  std::vector<T> dx(4);
  const auto run = [&](BinaryOp op, bool second) {
    reference().select_backward(dtype_of<T>, op, s, second, a.data(), b.data(), dy.data(),
                                dx.data());
    return dx;
  };
  check_equal(run(BinaryOp::max, false), {0, 20, 30, 40});
  check_equal(run(BinaryOp::max, true), {10, 0, 0, 0});
  check_equal(run(BinaryOp::min, false), {10, 0, 30, 40});
  check_equal(run(BinaryOp::min, true), {0, 20, 0, 0});
}

TEST_CASE_TEMPLATE("affine, accumulate and fill", T, float, double) {
  std::vector<T> x = {1, 2, 3}, y(3, static_cast<T>(not_a_number));
  reference().affine(dtype_of<T>, 3, 2, -1, x.data(), y.data());
  check_equal(y, {1, 3, 5});
  reference().accumulate(dtype_of<T>, 3, x.data(), y.data());
  check_equal(y, {2, 5, 8});
  reference().fill(dtype_of<T>, 2, 7, y.data());
  check_equal(y, {7, 7, 8});
}

TEST_CASE("fill and copy_block work on every type") {
  std::vector<std::int64_t> labels(3, 9);
  reference().fill(DType::i64, 2, 4, labels.data());
  CHECK(labels == std::vector<std::int64_t>{4, 4, 9});
  // Columns 1 and 2 of a [2, 3] into columns 0 and 1 of a [2, 4].
  const std::vector<std::int32_t> src = {1, 2, 3, 4, 5, 6};
  std::vector<std::int32_t> dst(8, 0);
  const BlockShape s = {.rows = 2, .cols = 2, .src_offset = 1, .src_stride = 3, .dst_stride = 4};
  reference().copy_block(DType::i32, s, src.data(), dst.data());
  CHECK(dst == std::vector<std::int32_t>{2, 3, 0, 0, 5, 6, 0, 0});
}

TEST_CASE("arithmetic on integers is refused") {
  std::int64_t x = 1;
  CHECK_THROWS_WITH_AS(reference().accumulate(DType::i64, 1, &x, &x),
                       "reference: arithmetic is done in f32 or f64, not in i64", DTypeError);
}

TEST_CASE_TEMPLATE("dropout follows the words of its key", T, float, double) {
  const PhiloxKey key = {42, 7};
  constexpr std::int64_t n = 10;
  const std::vector<T> x(n, 3);
  std::vector<T> y(n), expected(n);
  for (std::int64_t i = 0; i < n; ++i) {
    const PhiloxWords words = philox_block(key, static_cast<std::uint64_t>(i / 4));
    expected[static_cast<std::size_t>(i)] = words.v[i % 4] >= 0x40000000u ? 4 : 0;  // 3 / (1 - 1/4)
  }
  reference().dropout(dtype_of<T>, n, 0.25, key, x.data(), y.data());
  check_equal(y, expected);
  reference().dropout(dtype_of<T>, n, 0, key, x.data(), y.data());
  check_equal(y, x);
}

TEST_CASE_TEMPLATE("dropout drops with the probability that it is given", T, float, double) {
  constexpr std::int64_t n = 20'000;
  const std::vector<T> x(n, 1);
  std::vector<T> y(n);
  reference().dropout(dtype_of<T>, n, 0.3, {1, 2}, x.data(), y.data());
  const auto dropped = std::count(y.begin(), y.end(), T{0});
  CHECK(dropped > 0.3 * n - 4 * std::sqrt(n * 0.3 * 0.7));  // four standard deviations
  CHECK(dropped < 0.3 * n + 4 * std::sqrt(n * 0.3 * 0.7));
}

TEST_CASE_TEMPLATE("reduce along the middle axis", T, float, double) {
  const T q = static_cast<T>(not_a_number);
  const std::vector<T> x = {1, 2, 3, 4, 5, 6, 7, q, 9, -1, 8, 0};  // [2, 3, 2]
  std::vector<T> y(4);
  reference().reduce(dtype_of<T>, ReduceOp::sum, 2, 3, 2, x.data(), y.data());
  check_equal(y, {9, 12, 24, q});
  reference().reduce(dtype_of<T>, ReduceOp::max, 2, 3, 2, x.data(), y.data());
  check_equal(y, {5, 6, 9, q});
  reference().reduce(dtype_of<T>, ReduceOp::sum, 2, 0, 2, x.data(), y.data());
  check_equal(y, {0, 0, 0, 0});
}

TEST_CASE("a sum over floats is formed in double") {
  std::vector<float> x(1 << 12, 1.0f);
  x[0] = 1 << 24;  // in float, 2^24 + 1 is 2^24 again
  float y = 0;
  reference().reduce(DType::f32, ReduceOp::sum, 1, 1 << 12, 1, x.data(), &y);
  CHECK(y == static_cast<float>((1 << 24) + (1 << 12)));
}

TEST_CASE_TEMPLATE("softmax, also of large scores", T, float, double) {
  const T log3 = static_cast<T>(std::log(3.0));
  const std::vector<T> x = {0, log3, 0, 1000, 1000, 1000}, dy = {1, 0, 0, 0, 3, 0};
  std::vector<T> y(6), dx(6);
  reference().softmax_forward(dtype_of<T>, 2, 3, x.data(), y.data());
  const T third = T(1) / 3;
  check_equal(y, {T(0.2), T(0.6), T(0.2), third, third, third});
  reference().softmax_backward(dtype_of<T>, 2, 3, y.data(), dy.data(), dx.data());
  check_equal(dx, {T(0.16), T(-0.12), T(-0.04), -third, 2 * third, -third});
}

TEST_CASE_TEMPLATE("cross-entropy: the loss and what is left of its gradient", T, float, double) {
  const T log3 = static_cast<T>(std::log(3.0));
  const std::vector<T> x = {0, log3, 0, -2000, 0, 0};
  const std::vector<std::int64_t> labels = {1, 0};
  std::vector<T> p(6), loss(2), dx(6);
  reference().cross_entropy_forward(dtype_of<T>, 2, 3, x.data(), labels.data(), p.data(),
                                    loss.data());
  check_equal(p, {T(0.2), T(0.6), T(0.2), 0, 0.5, 0.5});
  // The second loss is finite, although the probability is 0 in any floating point.
  check_equal(loss, {static_cast<T>(std::log(5.0 / 3)), static_cast<T>(2000 + std::log(2.0))});
  const std::vector<T> dloss = {10, 1};
  reference().cross_entropy_backward(dtype_of<T>, 2, 3, p.data(), labels.data(), dloss.data(),
                                     dx.data());
  check_equal(dx, {2, -4, 2, -1, 0.5, 0.5});
}

TEST_CASE_TEMPLATE("sgd: two steps by either rule", T, float, double) {
  SgdShape s = {.n = 1, .lr = 0.5, .momentum = 0.5, .weight_decay = 0.25};
  const std::vector<T> g = {2};
  std::vector<T> w = {4}, v = {0};
  // v = 0 - 0.25*0.5*4 - 0.5*2 = -1.5, w = 2.5; then v = -0.75 - 0.3125 - 1 = -2.0625
  reference().sgd_step(dtype_of<T>, s, w.data(), g.data(), v.data());
  check_equal(w, {2.5});
  reference().sgd_step(dtype_of<T>, s, w.data(), g.data(), v.data());
  check_equal(v, {-2.0625});
  check_equal(w, {0.4375});
  // PyTorch's v is the paper's over -lr, and w the same, while lr stays.
  s.rule = SgdRule::pytorch;
  w = {4}, v = {0};
  reference().sgd_step(dtype_of<T>, s, w.data(), g.data(), v.data());
  check_equal(v, {3});
  reference().sgd_step(dtype_of<T>, s, w.data(), g.data(), v.data());
  check_equal(v, {4.125});
  check_equal(w, {0.4375});
}

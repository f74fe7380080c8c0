// The reference backend against values that were worked out by hand, first part: matrices,
// convolution, pooling, normalization. Small integers where possible, so that a reader can follow
// each with a pencil. Every case runs in float and in double.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "reference_check.h"

using namespace limulus;

namespace {

Window2d square(std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t pad = 0,
                bool ceil = false, std::int64_t dilation = 1) {
  return make_window(
      in, in, {.kernel = kernel, .stride = stride, .pad = pad, .dilation = dilation, .ceil = ceil},
      "test");
}

}  // namespace

TEST_CASE_TEMPLATE("gemm: every transposition, gaps between rows, beta", T, float, double) {
  // [1 2 3]   [1 0]   [ 7  8]
  // [4 5 6] x [0 1] = [16 17]
  //           [2 2]
  const std::vector<T> a = {1, 2, 3, 4, 5, 6}, at = {1, 4, 2, 5, 3, 6};
  const std::vector<T> b = {1, 0, 0, 1, 2, 2}, bt = {1, 0, 2, 0, 1, 2};
  for (const bool trans_a : {false, true})
    for (const bool trans_b : {false, true}) {
      GemmShape s = {.m = 2, .n = 2, .k = 3, .trans_a = trans_a, .trans_b = trans_b};
      s.lda = trans_a ? 2 : 3;
      s.ldb = trans_b ? 3 : 2;
      s.ldc = 3;  // a gap after each row, which stays untouched
      std::vector<T> c(6, static_cast<T>(not_a_number));
      c[2] = c[5] = 99;
      reference().gemm(dtype_of<T>, s, (trans_a ? at : a).data(), (trans_b ? bt : b).data(),
                       c.data());
      check_equal(c, {7, 8, 99, 16, 17, 99});
      s.beta = 1;
      reference().gemm(dtype_of<T>, s, (trans_a ? at : a).data(), (trans_b ? bt : b).data(),
                       c.data());
      check_equal(c, {14, 16, 99, 32, 34, 99});
    }
}

TEST_CASE_TEMPLATE("gemm with an empty sum gives zeros", T, float, double) {
  std::vector<T> c(4, 5);
  reference().gemm(dtype_of<T>, {.m = 2, .n = 2, .k = 0, .ldb = 2, .ldc = 2}, nullptr, nullptr,
                   c.data());
  check_equal(c, {0, 0, 0, 0});
}

TEST_CASE_TEMPLATE("conv2d: a filter over a padded image, and its gradients", T, float, double) {
  const Conv2dShape s = {.n = 1, .c = 1, .k = 1, .window = square(3, 2, 2, 1)};  // y is 2 x 2
  const std::vector<T> x = {1, 2, 3, 4, 5, 6, 7, 8, 9}, w = {1, 10, 100, 1000}, b = {0.5};
  const std::vector<T> dy = {1, 2, 3, 4};
  std::vector<T> y(4), dx(9), dw(4), db(1);
  // The corner windows see 1; 2 3; 4 7; 5 6 8 9.
  reference().conv2d_forward(dtype_of<T>, s, x.data(), w.data(), b.data(), y.data());
  check_equal(y, {1000.5, 3200.5, 7040.5, 9865.5});
  reference().conv2d_forward(dtype_of<T>, s, x.data(), w.data(), nullptr, y.data());
  check_equal(y, {1000, 3200, 7040, 9865});
  // Windows are 2 apart and 2 wide: each x meets one tap only.
  reference().conv2d_backward_input(dtype_of<T>, s, dy.data(), w.data(), dx.data());
  check_equal(dx, {1000, 200, 2000, 30, 4, 40, 3000, 400, 4000});
  reference().conv2d_backward_weight(dtype_of<T>, s, x.data(), dy.data(), dw.data());
  check_equal(dw, {4 * 5, 3 * 4 + 4 * 6, 2 * 2 + 4 * 8, 1 * 1 + 2 * 3 + 3 * 7 + 4 * 9});
  reference().conv2d_backward_bias(dtype_of<T>, s, dy.data(), db.data());
  check_equal(db, {10});
}

TEST_CASE_TEMPLATE("conv2d: groups see their own channels", T, float, double) {
  // 4 channels of one pixel, 2 groups, 4 filters of 2 channels: a block-diagonal matrix.
  const Conv2dShape s = {.n = 1, .c = 4, .k = 4, .groups = 2, .window = square(1, 1, 1)};
  const std::vector<T> x = {1, 2, 3, 4}, w = {1, 10, 2, 20, 3, 30, 4, 40}, dy = {1, 2, 3, 4};
  std::vector<T> y(4), dx(4), dw(8);
  reference().conv2d_forward(dtype_of<T>, s, x.data(), w.data(), nullptr, y.data());
  check_equal(y, {21, 42, 129, 172});
  reference().conv2d_backward_input(dtype_of<T>, s, dy.data(), w.data(), dx.data());
  check_equal(dx, {5, 50, 25, 250});
  reference().conv2d_backward_weight(dtype_of<T>, s, x.data(), dy.data(), dw.data());
  check_equal(dw, {1, 2, 2, 4, 9, 12, 12, 16});
}

TEST_CASE_TEMPLATE("conv2d: dilation, and a batch", T, float, double) {
  const Conv2dShape s = {.n = 2, .c = 1, .k = 1, .window = square(3, 2, 1, 0, false, 2)};
  std::vector<T> x(18), y(2), dx(18), dw(4);
  for (int i = 0; i < 18; ++i) x[static_cast<std::size_t>(i)] = static_cast<T>(i + 1);
  const std::vector<T> w = {1, 10, 100, 1000}, dy = {1, 2};
  reference().conv2d_forward(dtype_of<T>, s, x.data(), w.data(), nullptr, y.data());
  check_equal(y, {1 + 30 + 700 + 9000, 10 + 120 + 1600 + 18000});
  reference().conv2d_backward_input(dtype_of<T>, s, dy.data(), w.data(), dx.data());
  check_equal(dx, {1, 0, 10, 0, 0, 0, 100, 0, 1000, 2, 0, 20, 0, 0, 0, 200, 0, 2000});
  reference().conv2d_backward_weight(dtype_of<T>, s, x.data(), dy.data(), dw.data());
  check_equal(dw, {1 + 20, 3 + 24, 7 + 32, 9 + 36});
}

TEST_CASE_TEMPLATE("max_pool2d: overlap, the first of equals, NaN", T, float, double) {
  const Pool2dShape s = {.n = 1, .c = 2, .window = square(3, 2, 1)};
  const T q = static_cast<T>(not_a_number);
  const std::vector<T> x = {1, 5, 2, 5, 5, 3, 0, 4, 4,  //
                            q, 1, 1, 1, 1, 1, 1, q, -1};
  std::vector<T> y(8), dx(18);
  std::vector<std::int32_t> argmax(8);
  reference().max_pool2d_forward(dtype_of<T>, s, x.data(), y.data(), argmax.data());
  check_equal(y, {5, 5, 5, 5, q, 1, q, q});
  CHECK(argmax == std::vector<std::int32_t>{1, 1, 3, 4, 0, 1, 7, 7});
  const std::vector<T> dy = {1, 2, 3, 4, 5, 6, 7, 8};
  reference().max_pool2d_backward(dtype_of<T>, s, dy.data(), argmax.data(), dx.data());
  check_equal(dx, {0, 3, 0, 3, 4, 0, 0, 0, 0, 5, 6, 0, 0, 0, 0, 0, 15, 0});
}

TEST_CASE_TEMPLATE("max_pool2d: padding never wins, ceil mode clips", T, float, double) {
  const std::vector<T> x = {-1, -2, -3, -4};
  std::vector<T> y(4);
  std::vector<std::int32_t> argmax(4);
  const Pool2dShape padded = {.n = 1, .c = 1, .window = square(2, 2, 2, 1)};
  reference().max_pool2d_forward(dtype_of<T>, padded, x.data(), y.data(), argmax.data());
  check_equal(y, {-1, -2, -3, -4});  // and not 0
  CHECK(argmax == std::vector<std::int32_t>{0, 1, 2, 3});

  const std::vector<T> image = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  const Pool2dShape ragged = {.n = 1, .c = 1, .window = square(3, 2, 2, 0, true)};
  reference().max_pool2d_forward(dtype_of<T>, ragged, image.data(), y.data(), argmax.data());
  check_equal(y, {5, 6, 8, 9});

  // Minus infinity is a value like others: it still has a place.
  const std::vector<T> low(4, static_cast<T>(-infinity));
  const Pool2dShape one = {.n = 1, .c = 1, .window = square(2, 2, 2)};
  reference().max_pool2d_forward(dtype_of<T>, one, low.data(), y.data(), argmax.data());
  CHECK(y[0] == static_cast<T>(-infinity));
  CHECK(argmax[0] == 0);
}

TEST_CASE_TEMPLATE("avg_pool2d: both divisors, with padding and in ceil mode", T, float, double) {
  const std::vector<T> x = {1, 2, 3, 4, 5, 6, 7, 8, 9}, dy = {4, 4, 4, 4};
  std::vector<T> y(4), dx(9);
  Pool2dShape s = {.n = 1, .c = 1, .window = square(3, 2, 2, 1)};  // sees 1; 2 3; 4 7; 5 6 8 9
  reference().avg_pool2d_forward(dtype_of<T>, s, x.data(), y.data());
  check_equal(y, {1, 2.5, 5.5, 7});
  reference().avg_pool2d_backward(dtype_of<T>, s, dy.data(), dx.data());
  check_equal(dx, {4, 2, 2, 2, 1, 1, 2, 1, 1});
  s.count_include_pad = true;
  reference().avg_pool2d_forward(dtype_of<T>, s, x.data(), y.data());
  check_equal(y, {0.25, 1.25, 2.75, 7});
  reference().avg_pool2d_backward(dtype_of<T>, s, dy.data(), dx.data());
  check_equal(dx, {1, 1, 1, 1, 1, 1, 1, 1, 1});

  // Ceil mode without padding: sees 1 2 4 5; 3 6; 7 8; 9. What hangs over is never counted.
  s.window = square(3, 2, 2, 0, true);
  for (const bool include : {false, true}) {
    s.count_include_pad = include;
    reference().avg_pool2d_forward(dtype_of<T>, s, x.data(), y.data());
    check_equal(y, {3, 4.5, 7.5, 9});
  }
}

TEST_CASE_TEMPLATE("lrn across channels: odd and even sizes", T, float, double) {
  // alpha = beta = k = 1: y = x / (1 + sum of squares).
  LrnShape s = {.n = 1, .c = 4, .h = 1, .w = 1, .size = 3, .alpha = 1, .beta = 1, .k = 1};
  const std::vector<T> x = {1, 2, 3, 4};
  std::vector<T> y(4);
  reference().lrn_across_forward(dtype_of<T>, s, x.data(), y.data());
  check_equal(y, {T(1) / 6, T(2) / 15, T(3) / 30, T(4) / 26});
  s.size = 2;  // i - 1 and i
  reference().lrn_across_forward(dtype_of<T>, s, x.data(), y.data());
  check_equal(y, {T(1) / 2, T(2) / 6, T(3) / 14, T(4) / 26});

  // dx_i = dy_i / s_i - 2 x_i sum of dy_j x_j / s_j^2 over j = i, i + 1; s = 2, 6, 14, 26.
  const std::vector<T> dy = {1, 0, 1, 0};
  std::vector<T> dx(4);
  reference().lrn_across_backward(dtype_of<T>, s, x.data(), dy.data(), dx.data());
  check_equal(dx, {T(1) / 2 - T(2) / 4, -T(4) * 3 / 196, T(1) / 14 - T(6) * 3 / 196, 0});
}

TEST_CASE_TEMPLATE("lrn within a channel: the window is a square", T, float, double) {
  const LrnShape s = {.n = 1, .c = 1, .h = 2, .w = 3, .size = 2, .alpha = 1, .beta = 1, .k = 1};
  const std::vector<T> x = {1, 2, 3, 4, 5, 6}, dy = {0, 0, 0, 0, 1, 0};
  std::vector<T> y(6), dx(6);
  reference().lrn_within_forward(dtype_of<T>, s, x.data(), y.data());
  // sums of squares: 1, 1+4, 4+9, 1+16, 1+4+16+25, 4+9+25+36
  check_equal(y, {T(1) / 2, T(2) / 6, T(3) / 14, T(4) / 18, T(5) / 47, T(6) / 75});
  reference().lrn_within_backward(dtype_of<T>, s, x.data(), dy.data(), dx.data());
  const T slope = T(2) * 5 / (47 * 47);  // only y_4 counts, whose window holds 0, 1, 3 and 4
  check_equal(dx, {-1 * slope, -2 * slope, 0, -4 * slope, T(1) / 47 - 5 * slope, 0});
}

TEST_CASE_TEMPLATE("lrn with the paper's constants", T, float, double) {
  const LrnShape s = {.n = 1, .c = 1, .h = 1, .w = 1};  // size 5, alpha 1e-4, beta 0.75, k 2
  const std::vector<T> x = {10};
  std::vector<T> y(1);
  reference().lrn_across_forward(dtype_of<T>, s, x.data(), y.data());
  check_equal(y, {static_cast<T>(10 / std::pow(2.01, 0.75))});
}

// Window arithmetic: sizes that are printed in papers, Caffe's ceil rule, and impossible sizes.
#include "core/window.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>

#include "core/error.h"

using namespace limulus;

namespace {

std::int64_t fit(std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t pad = 0,
                 std::int64_t dilation = 1, bool ceil = false) {
  return Window1d::make(in, kernel, stride, pad, dilation, ceil, "test", "height").out;
}

template <class Error, class F>
std::string message_of(F f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing of the expected type was thrown";
}

// The slow way: lay windows down one after the other while they fit into the padded axis.
std::int64_t count_windows(std::int64_t in, std::int64_t kernel, std::int64_t stride,
                           std::int64_t pad, std::int64_t dilation) {
  std::int64_t windows = 0;
  for (std::int64_t at = -pad; at + dilation * (kernel - 1) < in + pad; at += stride) ++windows;
  return windows;
}

}  // namespace

TEST_CASE("the sizes of AlexNet, layer by layer") {
  CHECK(fit(227, 11, 4) == 55);     // conv1
  CHECK(fit(55, 3, 2) == 27);       // pool1
  CHECK(fit(27, 5, 1, 2) == 27);    // conv2
  CHECK(fit(27, 3, 2) == 13);       // pool2
  CHECK(fit(13, 3, 1, 1) == 13);    // conv3, conv4, conv5
  CHECK(fit(13, 3, 2) == 6);        // pool5: 256 * 6 * 6 = 9216 inputs of fc6
  CHECK(fit(224, 11, 4) == 54);     // what the paper prints does not give 55 ...
  CHECK(fit(224, 11, 4, 2) == 55);  // ... without torchvision's padding
}

TEST_CASE("the formula counts the windows that fit") {
  for (std::int64_t in = 0; in <= 12; ++in)
    for (std::int64_t kernel = 1; kernel <= 4; ++kernel)
      for (std::int64_t stride = 1; stride <= 4; ++stride)
        for (std::int64_t pad = 0; pad <= 3; ++pad)
          for (std::int64_t dilation = 1; dilation <= 3; ++dilation) {
            const std::int64_t expected = count_windows(in, kernel, stride, pad, dilation);
            CAPTURE(in);
            CAPTURE(kernel);
            CAPTURE(stride);
            CAPTURE(pad);
            CAPTURE(dilation);
            if (expected == 0) {
              CHECK_THROWS_AS(fit(in, kernel, stride, pad, dilation), ShapeError);
            } else {
              CHECK(fit(in, kernel, stride, pad, dilation) == expected);
            }
          }
}

TEST_CASE("ceil mode adds a ragged window, unless it begins in the far padding") {
  CHECK(fit(32, 3, 2, 0, 1, false) == 15);
  CHECK(fit(32, 3, 2, 0, 1, true) == 16);  // Caffe's cifar10_full: 32 -> 16
  CHECK(fit(55, 3, 2, 0, 1, true) == 27);  // no rest, no difference: AlexNet
  CHECK(fit(2, 3, 2, 0, 1, true) == 1);    // one window, clipped
  CHECK(fit(4, 2, 3, 1, 1, true) == 2);    // ceil(4/3) + 1 = 3, but the third begins at 5 >= 4 + 1
  // Caffe: ceil((N + 2P - F)/S) + 1, less one where (out - 1) S >= N + P
  for (std::int64_t in = 1; in <= 12; ++in)
    for (std::int64_t kernel = 1; kernel <= 4; ++kernel)
      for (std::int64_t stride = 1; stride <= 4; ++stride)
        for (std::int64_t pad = 0; pad < kernel && in + 2 * pad >= kernel; ++pad) {
          std::int64_t expected = (in + 2 * pad - kernel + stride - 1) / stride + 1;
          if ((expected - 1) * stride >= in + pad) --expected;
          CHECK(fit(in, kernel, stride, pad, 1, true) == expected);
        }
}

TEST_CASE("the formula is printed with its numbers") {
  const auto text = [](std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t pad,
                       std::int64_t dilation, bool ceil) {
    return Window1d::make(in, kernel, stride, pad, dilation, ceil, "test", "width").formula();
  };
  CHECK(text(227, 11, 4, 0, 1, false) == "floor((227 - 11 + 2*0)/4) + 1 = 55");
  CHECK(text(13, 3, 1, 2, 2, false) == "floor((13 - (2*(3 - 1) + 1) + 2*2)/1) + 1 = 13");
  CHECK(text(32, 3, 2, 0, 1, true) == "ceil((32 - 3 + 2*0)/2) + 1 = 16");
  CHECK(text(4, 2, 3, 1, 1, true) ==
        "ceil((4 - 2 + 2*1)/3) + 1 - 1 (the last window would begin in the padding) = 2");
}

TEST_CASE("a window that does not fit is a ShapeError that shows the arithmetic") {
  CHECK(
      message_of<ShapeError>([] { make_window(2, 8, {.kernel = 3, .stride = 2}, "max_pool2d"); }) ==
      "max_pool2d: window 3 is larger than the padded input 2 (height): "
      "floor((2 - 3 + 2*0)/2) + 1 = 0");
  CHECK(message_of<ShapeError>([] {
          make_window(8, 3, {.kernel = {3, 7}, .pad = 1}, "conv2d");
        }) ==
        "conv2d: window 7 is larger than the padded input 5 (width): "
        "floor((3 - 7 + 2*1)/1) + 1 = -1");
  CHECK(message_of<ShapeError>([] { fit(4, 3, 1, 0, 2); }) ==
        "test: window 5 is larger than the padded input 4 (height): "
        "floor((4 - (2*(3 - 1) + 1) + 2*0)/1) + 1 = 0");
  CHECK_THROWS_AS(fit(0, 1, 1), ShapeError);
}

TEST_CASE("options outside their range are a ValueError") {
  CHECK(message_of<ValueError>([] { fit(8, 3, 0); }) ==
        "test: stride 0 (height) must be from 1 to 2147483647");
  CHECK_THROWS_AS(fit(8, 0, 1), ValueError);
  CHECK_THROWS_AS(fit(8, 3, 1, -1), ValueError);
  CHECK_THROWS_AS(fit(8, 3, 1, 0, 0), ValueError);
  CHECK_THROWS_AS(fit(-1, 1, 1), ValueError);
}

TEST_CASE("sizes near the ends of the integers neither overflow nor pass") {
  constexpr std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
  CHECK_THROWS_AS(fit(huge, 1, 1), ValueError);
  CHECK_THROWS_AS(fit(8, huge, 1), ValueError);
  CHECK_THROWS_AS(fit(8, 3, 1, huge), ValueError);
  CHECK_THROWS_AS(fit(8, 3, 1, 0, huge), ValueError);
  CHECK_THROWS_AS(fit(most, most, 1, 0, most), ShapeError);  // spans 2^62
  CHECK(fit(most, 1, 1, most) == 3 * most);
}

TEST_CASE("both axes have sizes of their own") {
  const Window2d window =
      make_window(10, 7, {.kernel = {3, 2}, .stride = {1, 2}, .pad = {0, 1}}, "");
  CHECK(window.h.out == 8);
  CHECK(window.w.out == 4);
}

#pragma once
// Window arithmetic: the only place in Limulus that computes output sizes.
//
// A window of F taps slides over an axis of N values padded by P zeros at both ends, in steps of S;
// its taps are D apart (dilation), so that it spans D (F - 1) + 1 values. It fits
//
//     floor((N - (D (F - 1) + 1) + 2 P) / S) + 1        times.
//
// With D = 1 this is the [(N - F + 2P)/S] + 1 of the textbooks. In ceil mode (Caffe's pooling) a
// last, ragged window is added where the division leaves a remainder, unless it would begin in
// the padding at the end.
#include <cstdint>
#include <string>

namespace limulus {

struct Window1d {
  std::int64_t in = 0;        // N
  std::int64_t kernel = 1;    // F
  std::int64_t stride = 1;    // S
  std::int64_t pad = 0;       // P
  std::int64_t dilation = 1;  // D
  bool ceil = false;
  std::int64_t out = 0;

  // Computes `out`. ValueError for a kernel, stride or dilation below 1 or a negative padding;
  // ShapeError, with the arithmetic, when the window does not fit once. `op` and `axis` (as
  // "conv2d", "height") begin the message.
  static Window1d make(std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t pad,
                       std::int64_t dilation, bool ceil, const char* op, const char* axis);

  // "floor((227 - 11 + 2*0)/4) + 1 = 55"
  std::string formula() const;

  bool operator==(const Window1d&) const = default;
};

struct Window2d {
  Window1d h, w;
  bool operator==(const Window2d&) const = default;
};

struct Size2d {
  std::int64_t h = 0, w = 0;
  constexpr Size2d(std::int64_t both) : h(both), w(both) {}  // NOLINT: 3 means 3 x 3
  constexpr Size2d(std::int64_t height, std::int64_t width) : h(height), w(width) {}
  bool operator==(const Size2d&) const = default;
};

struct WindowOptions {
  Size2d kernel = 1, stride = 1, pad = 0, dilation = 1;
  bool ceil = false;
};

Window2d make_window(std::int64_t height, std::int64_t width, const WindowOptions& options,
                     const char* op);

}  // namespace limulus

#include "core/window.h"

#include <fmt/format.h>

#include <limits>

#include "core/error.h"

namespace limulus {
namespace {

// C++ rounds quotients towards zero; the formula rounds towards minus infinity. It matters where a
// window does not fit: (2 - 3)/2 must give -1, so that the count becomes 0 and not 1.
std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }
std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return a / b + (a % b > 0 ? 1 : 0); }

std::int64_t span(const Window1d& w) { return w.dilation * (w.kernel - 1) + 1; }

// How often the window fits by the formula alone; may be 0 or negative.
std::int64_t count(const Window1d& w) {
  const std::int64_t slack = w.in - span(w) + 2 * w.pad;
  return (w.ceil ? ceil_div(slack, w.stride) : floor_div(slack, w.stride)) + 1;
}

// Caffe's rule for ceil mode: the ragged last window must not begin in the padding at the far end.
bool begins_in_padding(const Window1d& w, std::int64_t index) {
  return index * w.stride >= w.in + w.pad;
}

}  // namespace

Window1d Window1d::make(std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t pad,
                        std::int64_t dilation, bool ceil, const char* op, const char* axis) {
  // Values up to 2^31 - 1 keep every product below in 64 bits; no image is larger.
  const auto check = [&](const char* name, std::int64_t value, std::int64_t least) {
    constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
    if (value < least || value > most) {
      throw ValueError(
          fmt::format("{}: {} {} ({}) must be from {} to {}", op, name, value, axis, least, most));
    }
  };
  check("input", in, 0);
  check("kernel", kernel, 1);
  check("stride", stride, 1);
  check("padding", pad, 0);
  check("dilation", dilation, 1);

  Window1d w{in, kernel, stride, pad, dilation, ceil, 0};
  w.out = count(w);
  if (w.ceil && w.out > 0 && begins_in_padding(w, w.out - 1)) --w.out;
  if (w.out < 1) {
    throw ShapeError(fmt::format("{}: window {} is larger than the padded input {} ({}): {}", op,
                                 span(w), w.in + 2 * w.pad, axis, w.formula()));
  }
  return w;
}

std::string Window1d::formula() const {
  const std::string taps = dilation == 1 ? fmt::format("{}", kernel)
                                         : fmt::format("({}*({} - 1) + 1)", dilation, kernel);
  const char* correction =
      ceil && out < count(*this) ? " - 1 (the last window would begin in the padding)" : "";
  return fmt::format("{}(({} - {} + 2*{})/{}) + 1{} = {}", ceil ? "ceil" : "floor", in, taps, pad,
                     stride, correction, out);
}

Window2d make_window(std::int64_t height, std::int64_t width, const WindowOptions& options,
                     const char* op) {
  const auto& [kernel, stride, pad, dilation, ceil] = options;
  return {Window1d::make(height, kernel.h, stride.h, pad.h, dilation.h, ceil, op, "height"),
          Window1d::make(width, kernel.w, stride.w, pad.w, dilation.w, ceil, op, "width")};
}

}  // namespace limulus

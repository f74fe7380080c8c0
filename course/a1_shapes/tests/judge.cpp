// Assignment 1: sizes and counts, as exact integers, from the library's own walk.
#include "judge.h"

#include "backends/registry.h"
#include "core/error.h"
#include "judge_windows.h"
#include "layers/conv2d.h"
#include "layers/linear.h"

namespace course {

limulus::Window1d window_of(const Integers& w, std::int64_t in, bool ceil) {
  return limulus::Window1d::make(in, w[1], w[2], w[3], w[4], ceil, "window", "axis");
}

std::string described(const Integers& w) {
  return "N = " + std::to_string(w[0]) + ", F = " + std::to_string(w[1]) +
         ", S = " + std::to_string(w[2]) + ", P = " + std::to_string(w[3]) +
         ", D = " + std::to_string(w[4]);
}

Record window_call(const std::string& function, const Integers& w) {
  Record r;
  r.put("call", function);
  r.put("what", function + " of " + described(w));
  r.put("window", w);
  return r;
}

const Integers& result(const Record& out) {
  if (out.has("invalid")) throw Wrong("it threw std::invalid_argument, but the window fits");
  return out.integers("result");
}

namespace {

using limulus::device;
using limulus::Linear;
using limulus::ShapeError;
using limulus::UnfilledParameters;
using limulus::WalkStep;

// ---- 1.1 and 1.2: one window -----------------------------------------------------------------

std::vector<Record> windows(Rng& rng, const char* function, const Limits& most) {
  std::vector<Record> calls;
  while (calls.size() < 12) {
    const std::int64_t f = between(rng, 1, 7), d = between(rng, 1, most.dilation);
    const std::int64_t p = between(rng, most.pad > 0 ? 1 : 0, most.pad);
    const std::int64_t n = between(rng, d * (f - 1) + 1, 60);
    calls.push_back(
        window_call(function, {n, f, between(rng, most.stride > 1 ? 2 : 1, most.stride), p, d}));
  }
  return calls;
}

template <bool ceil>
void check_window(const Record& in, const Record& out) {
  const Integers& w = in.integers("window");
  std::int64_t expected = 0;
  try {
    expected = window_of(w, w[0], ceil).out;
  } catch (const ShapeError& e) {
    if (!out.has("invalid"))
      throw Wrong(std::string("returned ") + std::to_string(out.integers("result").at(0)) +
                  ", but must throw std::invalid_argument: " + e.what());
    return;
  }
  compare("output size", expected, result(out).at(0));
}

std::vector<Record> make_unit(Rng& rng) { return windows(rng, "output_size", {}); }
std::vector<Record> make_stride(Rng& rng) { return windows(rng, "output_size", {.stride = 5}); }
std::vector<Record> make_padding(Rng& rng) {
  return windows(rng, "output_size", {.stride = 4, .pad = 3});
}
std::vector<Record> make_dilation(Rng& rng) {
  return windows(rng, "output_size", {.stride = 3, .pad = 2, .dilation = 4});
}
std::vector<Record> make_misfit(Rng& rng) {
  std::vector<Record> calls;
  for (int i = 0; i < 8; ++i) {
    const std::int64_t p = between(rng, 0, 2), d = between(rng, 1, 2), f = between(rng, 6, 9);
    const std::int64_t span = d * (f - 1) + 1;  // too large by 1 to stride - 1, or just not
    const std::int64_t too_large = i % 4 == 3 ? 0 : between(rng, 1, 2);
    calls.push_back(window_call("output_size", {span - 2 * p - too_large, f, 4, p, d}));
  }
  return calls;
}
std::vector<Record> make_ceil(Rng& rng) {
  return windows(rng, "output_size_ceil", {.stride = 5, .pad = 0, .dilation = 2});
}
std::vector<Record> make_ceil_padding(Rng& rng) {
  std::vector<Record> calls = windows(rng, "output_size_ceil", {.stride = 5, .pad = 3});
  // Windows that would begin in the padding at the far end.
  for (int i = 0; i < 4; ++i) {
    const std::int64_t s = between(rng, 2, 5), p = between(rng, 1, s - 1);
    const std::int64_t f = between(rng, p + 1, p + 3), steps = between(rng, 2, 6);
    // The last of ceil's windows begins at steps * s - p; the input ends just there.
    calls.push_back(window_call("output_size_ceil", {steps * s - p, f, s, p, 1}));
  }
  return calls;
}

// ---- 1.3: counts -----------------------------------------------------------------------------

Record convolution_call(const Sizes& image, const Integers& c) {
  Record r;
  r.put("call", "convolution_counts");
  r.put("what", std::to_string(c[0]) + " filters of " + std::to_string(c[1]) + "x" +
                    std::to_string(c[1]) + ", stride " + std::to_string(c[2]) + ", padding " +
                    std::to_string(c[3]) + ", groups " + std::to_string(c[4]) +
                    ", on an image of " + written(image) + " (channels, height, width)");
  r.put("image", image);
  r.put("convolution", c);
  return r;
}

Record random_convolution(Rng& rng, std::int64_t groups) {
  const std::int64_t f = between(rng, 1, 5);
  return convolution_call(
      {groups * between(rng, 1, 6), between(rng, f, 20), between(rng, f, 20)},
      {groups * between(rng, 1, 6), f, between(rng, 1, 3), between(rng, 0, 2), groups});
}

std::vector<Record> make_convolutions(Rng& rng) {
  std::vector<Record> calls = {convolution_call({3, 227, 227}, {96, 11, 4, 0, 1})};
  while (calls.size() < 10) calls.push_back(random_convolution(rng, 1));
  return calls;
}
std::vector<Record> make_groups(Rng& rng) {
  std::vector<Record> calls = {convolution_call({96, 27, 27}, {256, 5, 1, 2, 2})};
  while (calls.size() < 10) calls.push_back(random_convolution(rng, between(rng, 2, 4)));
  return calls;
}
void check_convolution(const Record& in, const Record& out) {
  const Integers &i = in.integers("image"), &c = in.integers("convolution");
  const WalkStep step =
      limulus::conv2d_step(Shape{1, i[0], i[1], i[2]}, Shape{c[0], i[0] / c[4], c[1], c[1]},
                           {.stride = c[2], .pad = c[3], .groups = c[4]});
  const Integers& got = result(out);
  compare("parameters", step.parameters, got.at(0));
  compare("connections", step.connections, got.at(1));
  compare("multiply-adds", step.multiply_adds, got.at(2));
}

std::vector<Record> make_linear(Rng& rng) {
  std::vector<Record> calls;
  for (int i = 0; i < 8; ++i) {
    const std::int64_t a = i == 0 ? 9216 : between(rng, 1, 500),
                       b = i == 0 ? 4096 : between(rng, 1, 500);
    Record r;
    r.put("call", "linear_counts");
    r.put("what", std::to_string(a) + " inputs, " + std::to_string(b) + " outputs");
    r.put("in", a);
    r.put("out", b);
    calls.push_back(r);
  }
  return calls;
}
void check_linear(const Record& in, const Record& out) {
  const UnfilledParameters unfilled;
  const Linear layer(in.integer("in"), in.integer("out"), device("reference"));
  const WalkStep step = layer.walk(Shape{1, in.integer("in")}).at(0);
  const Integers& got = result(out);
  compare("parameters", step.parameters, got.at(0));
  compare("connections", step.connections, got.at(1));
  compare("multiply-adds", step.multiply_adds, got.at(2));
}

}  // namespace

const std::vector<Case>& cases() {
  static const std::vector<Case> all = [] {
    std::vector<Case> list = {{"size_unit", make_unit, check_window<false>},
                              {"size_stride", make_stride, check_window<false>},
                              {"size_padding", make_padding, check_window<false>},
                              {"size_dilation", make_dilation, check_window<false>},
                              {"size_misfit", make_misfit, check_window<false>},
                              {"ceil", make_ceil, check_window<true>},
                              {"ceil_padding", make_ceil_padding, check_window<true>},
                              {"counts", make_convolutions, check_convolution},
                              {"counts_groups", make_groups, check_convolution},
                              {"counts_linear", make_linear, check_linear}};
    for (const Case& c : network_cases()) list.push_back(c);
    return list;
  }();
  return all;
}

}  // namespace course

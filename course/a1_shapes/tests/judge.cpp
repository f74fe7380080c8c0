// Assignment 1: sizes and counts, as exact integers, from the library's own walk.
#include "judge.h"

#include "backends/registry.h"
#include "core/error.h"
#include "layers/conv2d.h"
#include "layers/linear.h"
#include "layers/max_pool2d.h"

namespace course {
namespace {

using namespace limulus;

Window1d window_of(const Integers& w, std::int64_t in, bool ceil) {
  return Window1d::make(in, w[1], w[2], w[3], w[4], ceil, "window", "axis");
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

// The answer, when the call is one that has an answer.
const Integers& result(const Record& out) {
  if (out.has("invalid")) throw Wrong("it threw std::invalid_argument, but the window fits");
  return out.integers("result");
}

// ---- 1.1 and 1.2: one window -----------------------------------------------------------------

struct Limits {
  std::int64_t stride = 1, pad = 0, dilation = 1;
};

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
  r.put("what", std::to_string(c[0]) + " kernels of " + std::to_string(c[1]) + "x" +
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
      conv2d_step(Shape{1, i[0], i[1], i[2]}, Shape{c[0], i[0] / c[4], c[1], c[1]},
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

// ---- 1.4: networks, as the library walks them ------------------------------------------------

// Layers as numbers: kind, kernels, kernel, stride, pad, groups.
constexpr std::int64_t conv = 0, pool = 1, fc = 2;

Record walk_call(const std::string& what, const Sizes& image, const Integers& layers) {
  Record r;
  r.put("call", "walk");
  r.put("what", what + " on an image of " + written(image));
  r.put("image", image);
  r.put("layers", layers);
  return r;
}

std::vector<Record> make_alexnet(Rng&) {
  return {walk_call("AlexNet", {3, 227, 227}, {conv, 96,   11, 4, 0, 1,  //
                                               pool, 0,    3,  2, 0, 1,  //
                                               conv, 256,  5,  1, 2, 2,  //
                                               pool, 0,    3,  2, 0, 1,  //
                                               conv, 384,  3,  1, 1, 1,  //
                                               conv, 384,  3,  1, 1, 2,  //
                                               conv, 256,  3,  1, 1, 2,  //
                                               pool, 0,    3,  2, 0, 1,  //
                                               fc,   4096, 1,  1, 0, 1,  //
                                               fc,   4096, 1,  1, 0, 1,  //
                                               fc,   1000, 1,  1, 0, 1})};
}

std::vector<Record> make_networks(Rng& rng) {
  std::vector<Record> calls;
  while (calls.size() < 6) {
    const Sizes image = {between(rng, 1, 4), between(rng, 24, 48), between(rng, 24, 48)};
    Sizes now = image;
    Integers layers;
    for (int i = 0; i < 5; ++i) {
      const bool pooling = rng.below(3) == 0;
      const std::int64_t f = between(rng, 1, 3), s = between(rng, 1, 2);
      const std::int64_t p = pooling ? f / 2 * between(rng, 0, 1) : between(rng, 0, 2);
      if (now[1] < f || now[2] < f) break;
      const std::int64_t g = !pooling && now[0] % 2 == 0 ? between(rng, 1, 2) : 1;
      const std::int64_t k = pooling ? 0 : g * between(rng, 1, 4);
      layers.insert(layers.end(), {pooling ? pool : conv, k, f, s, p, g});
      now = {pooling ? now[0] : k, Window1d::make(now[1], f, s, p, 1, false, "", "").out,
             Window1d::make(now[2], f, s, p, 1, false, "", "").out};
    }
    for (std::int64_t i = between(rng, 0, 2); i > 0; --i)
      layers.insert(layers.end(), {fc, between(rng, 1, 20), 1, 1, 0, 1});
    calls.push_back(walk_call(
        "a random network of " + std::to_string(layers.size() / 6) + " layers", image, layers));
  }
  return calls;
}

void check_walk(const Record& in, const Record& out) {
  const Integers &image = in.integers("image"), &l = in.integers("layers"), &got = result(out);
  if (got.size() != l.size())
    throw Wrong("expected " + std::to_string(l.size() / 6) + " steps, got " +
                std::to_string(got.size() / 6));
  const UnfilledParameters unfilled;
  Shape now{1, image[0], image[1], image[2]};
  for (std::size_t at = 0; at < l.size(); at += 6) {
    WalkStep step;
    if (l[at] == conv)
      step = conv2d_step(now, Shape{l[at + 1], now[1] / l[at + 5], l[at + 2], l[at + 2]},
                         {.stride = l[at + 3], .pad = l[at + 4], .groups = l[at + 5]});
    else if (l[at] == pool)
      step = MaxPool2d({.kernel = l[at + 2], .stride = Size2d(l[at + 3]), .pad = l[at + 4]})
                 .walk(now)
                 .at(0);
    else
      step = Linear(now.numel(), l[at + 1], device("reference")).walk(Shape{1, now.numel()}).at(0);
    now = step.out.rank() == 4 ? step.out : Shape{1, step.out[1], 1, 1};
    const char* names[] = {"channels",   "height",      "width",
                           "parameters", "connections", "multiply-adds"};
    const std::int64_t expected[] = {now[1],          now[2],           now[3],
                                     step.parameters, step.connections, step.multiply_adds};
    for (std::size_t i = 0; i < 6; ++i)
      compare("layer " + std::to_string(at / 6 + 1) + ", " + names[i], expected[i], got[at + i]);
  }
}

// ---- 1.5: receptive fields -------------------------------------------------------------------

std::vector<Record> fields(Rng& rng, const Limits& most) {
  std::vector<Record> calls;
  while (calls.size() < 8) {
    Integers layers;
    std::string what = "F/S/P/D of the layers:";
    for (std::int64_t i = between(rng, 2, 6); i > 0; --i) {
      const Integers w = {0, between(rng, 1, 5), between(rng, 1, most.stride),
                          between(rng, 0, most.pad), between(rng, 1, most.dilation)};
      layers.insert(layers.end(), w.begin(), w.end());
      what += " " + std::to_string(w[1]) + "/" + std::to_string(w[2]) + "/" + std::to_string(w[3]) +
              "/" + std::to_string(w[4]);
    }
    Record r;
    r.put("call", "receptive_field");
    r.put("what", what);
    r.put("layers", layers);
    calls.push_back(r);
  }
  return calls;
}
std::vector<Record> make_fields(Rng& rng) { return fields(rng, {.stride = 3}); }
std::vector<Record> make_fields_all(Rng& rng) {
  return fields(rng, {.stride = 3, .pad = 2, .dilation = 3});
}
// By following the outputs' windows back to the input, last layer first.
void check_field(const Record& in, const Record& out) {
  const Integers& l = in.integers("layers");
  const auto first = [&](std::int64_t i) {
    for (std::size_t at = l.size(); at > 0; at -= 5) i = i * l[at - 3] - l[at - 2];
    return i;
  };
  std::int64_t last = 0;
  for (std::size_t at = l.size(); at > 0; at -= 5)
    last = last * l[at - 3] - l[at - 2] + l[at - 1] * (l[at - 4] - 1);
  const Integers& got = result(out);
  compare("size", last - first(0) + 1, got.at(0));
  compare("jump", first(1) - first(0), got.at(1));
  compare("start", first(0), got.at(2));
}

// ---- 1.6: which inputs give an output --------------------------------------------------------

Record range_call(std::int64_t count, const Integers& w) {
  Record r = window_call("inputs_for", w);
  r.put("what", "inputs for " + std::to_string(count) + " outputs, F = " + std::to_string(w[1]) +
                    ", S = " + std::to_string(w[2]) + ", P = " + std::to_string(w[3]) +
                    ", D = " + std::to_string(w[4]));
  r.put("out", count);
  return r;
}
std::vector<Record> make_paper_range(Rng&) {
  return {range_call(55, {0, 11, 4, 0, 1}), range_call(55, {0, 11, 4, 2, 1}),
          range_call(27, {0, 3, 2, 0, 1}), range_call(6, {0, 3, 2, 0, 1})};
}
std::vector<Record> make_ranges(Rng& rng) {
  std::vector<Record> calls;
  while (calls.size() < 10) {
    const std::int64_t f = between(rng, 1, 7), d = between(rng, 1, 3);
    calls.push_back(range_call(between(rng, 1, 30),
                               {0, f, between(rng, 1, 5), between(rng, 0, d * (f - 1) / 2), d}));
  }
  return calls;
}
void check_range(const Record& in, const Record& out) {
  const Integers &w = in.integers("window"), &got = result(out);
  Integers fits;
  for (std::int64_t n = 1; n < 400; ++n) {
    if (n + 2 * w[3] < w[4] * (w[1] - 1) + 1) continue;
    if (window_of(w, n, false).out == in.integer("out")) fits.push_back(n);
  }
  compare("smallest input", fits.front(), got.at(0));
  compare("largest input", fits.back(), got.at(1));
}

}  // namespace

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {{"size_unit", make_unit, check_window<false>},
                                        {"size_stride", make_stride, check_window<false>},
                                        {"size_padding", make_padding, check_window<false>},
                                        {"size_dilation", make_dilation, check_window<false>},
                                        {"size_misfit", make_misfit, check_window<false>},
                                        {"ceil", make_ceil, check_window<true>},
                                        {"ceil_padding", make_ceil_padding, check_window<true>},
                                        {"counts", make_convolutions, check_convolution},
                                        {"counts_groups", make_groups, check_convolution},
                                        {"counts_linear", make_linear, check_linear},
                                        {"walk_alexnet", make_alexnet, check_walk},
                                        {"walk_random", make_networks, check_walk},
                                        {"field", make_fields, check_field},
                                        {"field_padding", make_fields_all, check_field},
                                        {"range_paper", make_paper_range, check_range},
                                        {"range", make_ranges, check_range}};
  return all;
}

}  // namespace course

// Assignment 1, tasks 1.4 to 1.6: whole networks, receptive fields, input ranges.
#include "backends/registry.h"
#include "judge_windows.h"
#include "layers/conv2d.h"
#include "layers/linear.h"
#include "layers/max_pool2d.h"

namespace course {
namespace {

using namespace limulus;

// ---- 1.4: networks, as the library walks them ------------------------------------------------

// Layers as numbers: kind, filters, kernel, stride, pad, groups.
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

std::vector<Case> network_cases() {
  return {{"walk_alexnet", make_alexnet, check_walk},
          {"walk_random", make_networks, check_walk},
          {"field", make_fields, check_field},
          {"field_padding", make_fields_all, check_field},
          {"range_paper", make_paper_range, check_range},
          {"range", make_ranges, check_range}};
}

}  // namespace course

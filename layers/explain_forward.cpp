// An element of a layer's output, term by term, in the order of the textbook loops
// (backends/reference).
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "layers/activation.h"
#include "layers/avg_pool2d.h"
#include "layers/conv2d.h"
#include "layers/dropout.h"
#include "layers/explain.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/local_response_norm.h"
#include "layers/max_pool2d.h"
#include "layers/softmax.h"

namespace limulus::explain {

std::string at(const std::string& tensor, const Index& index) {
  return fmt::format("{}[{}]", tensor, fmt::join(index, ", "));
}

void check_index(const std::string& tensor, const Shape& shape, const Index& index) {
  bool inside = static_cast<int>(index.size()) == shape.rank();
  for (std::size_t axis = 0; inside && axis < index.size(); ++axis)
    inside = 0 <= index[axis] && index[axis] < shape[static_cast<int>(axis)];
  if (!inside)
    throw ShapeError(fmt::format("explain: {} has the shape {}, which has no element [{}]", tensor,
                                 shape.str(), fmt::join(index, ", ")));
}

double sum_of(const std::vector<Term>& terms) {
  double sum = 0;
  for (const Term& t : terms) sum += t.value;
  return sum;
}

namespace {

std::string product(double a, double b) { return fmt::format("{:.6g} * {:.6g}", a, b); }

// "4*10 + fh - 2": where a window's tap lies, with the sizes put in.
std::string tap(const Window1d& w, std::int64_t out, const char* letter) {
  std::string text = fmt::format("{}*{} + ", w.stride, out);
  text += w.dilation == 1 ? letter : fmt::format("{}*{}", w.dilation, letter);
  return w.pad == 0 ? text : text + fmt::format(" - {}", w.pad);
}

std::string rows_and_columns(const Window2d& window, std::int64_t oh, std::int64_t ow) {
  const auto reach = [](const Window1d& w, std::int64_t out) {
    const std::int64_t first = out * w.stride - w.pad, last = first + w.dilation * (w.kernel - 1);
    std::string text = fmt::format("{} ... {}", first, last);
    if (first < 0 || last >= w.in) text += fmt::format(" (of 0 ... {}; 0 outside)", w.in - 1);
    return text;
  };
  return fmt::format("the window covers rows {} and columns {} of the input", reach(window.h, oh),
                     reach(window.w, ow));
}

Explanation convolution(const LayerRun& run, const Conv2d& layer, const Index& i) {
  const Conv2dShape s = conv2d_shape(run.in, layer.weight.shape(), layer.options);
  const std::int64_t k = i[0], group = k / (s.k / s.groups), channels = s.c / s.groups,
                     first = group * channels;
  Explanation e;
  e.formula = fmt::format("b[{}] + sum over c, fh, fw of  x[c, {}, {}] w[{}, c{}, fh, fw]", k,
                          tap(s.window.h, i[1], "fh"), tap(s.window.w, i[2], "fw"), k,
                          first > 0 ? fmt::format(" - {}", first) : "");
  const std::string whose =
      s.groups > 1 ? fmt::format("is in group {} of 0 ... {} and ", group, s.groups - 1) : "";
  e.notes = {
      fmt::format("filter {} {}sees channels {} ... {}", k, whose, first, first + channels - 1),
      rows_and_columns(s.window, i[1], i[2])};
  if (!run.bias.data.empty()) e.terms.push_back({at("b", {k}), "", run.bias[{k}]});
  for (std::int64_t c = 0; c < channels; ++c)
    for_taps(s.window, i[1], i[2], [&](auto fh, auto fw, auto ih, auto iw) {
      const Index in_x = {first + c, ih, iw}, in_w = {k, c, fh, fw};
      const double x = run.x[in_x], w = run.weight[in_w];
      e.terms.push_back({at("x", in_x) + " " + at("w", in_w), product(x, w), x * w, in_x});
    });
  e.value = sum_of(e.terms);
  return e;
}

Explanation fully_connected(const LayerRun& run, const Index& i) {
  Explanation e;
  e.formula = fmt::format("b[{}] + sum over i of  x[i] w[{}, i]", i[0], i[0]);
  if (!run.bias.data.empty()) e.terms.push_back({at("b", i), "", run.bias[i]});
  for (std::int64_t j = 0; j < run.weight.shape[1]; ++j) {
    const double x = run.x[{j}], w = run.weight[{i[0], j}];
    e.terms.push_back({at("x", {j}) + " " + at("w", {i[0], j}), product(x, w), x * w, {j}});
  }
  e.value = sum_of(e.terms);
  return e;
}

Explanation pool(const LayerRun& run, const Pool2dShape& s, bool maximum, const Index& i) {
  Explanation e;
  e.maximum = maximum;
  e.formula = fmt::format("{} over fh, fw of  x[{}, {}, {}]", maximum ? "maximum" : "mean", i[0],
                          tap(s.window.h, i[1], "fh"), tap(s.window.w, i[2], "fw"));
  e.notes = {rows_and_columns(s.window, i[1], i[2])};
  for_taps(s.window, i[1], i[2], [&](auto, auto, auto ih, auto iw) {
    const Index in_x = {i[0], ih, iw};
    e.terms.push_back({at("x", in_x), "", run.x[in_x], in_x});
  });
  if (maximum) {
    const auto best =
        std::max_element(e.terms.begin(), e.terms.end(),
                         [](const Term& a, const Term& b) { return a.value < b.value; });
    e.then = {
        fmt::format("the first maximum is {}: it alone will receive the gradient", best->what)};
    e.value = best->value;
  } else {
    const std::int64_t count = averaged_taps(s, i[1], i[2]);
    e.then = {fmt::format("divided by {} taps", count)};
    e.value = sum_of(e.terms) / static_cast<double>(count);
  }
  return e;
}

Explanation normalization(const LayerRun& run, const LocalResponseNorm& layer, const Index& i) {
  const LrnShape s = lrn_shape(run.in, layer.options);
  const bool across = layer.options.region == LrnRegion::across_channels;
  const auto range = [&](std::int64_t middle, std::int64_t limit) {
    const std::int64_t first = middle - s.size / 2;
    return std::pair{std::max<std::int64_t>(0, first), std::min(limit, first + s.size)};
  };
  Explanation e;
  e.formula = fmt::format(
      "x s^-{},  s = {} + {} * sum of x^2 over {}", s.beta, s.k, s.alpha,
      across ? fmt::format("{} channels", s.size) : fmt::format("{} x {} places", s.size, s.size));
  const auto square = [&](const Index& j) {
    const double x = run.x[j];
    e.terms.push_back({at("x", j) + "^2", fmt::format("{:.6g}^2", x), x * x, j});
  };
  if (across) {
    const auto [begin, end] = range(i[0], s.c);
    e.notes = {
        fmt::format("the window is channels {} ... {} of 0 ... {}", begin, end - 1, s.c - 1)};
    for (std::int64_t c = begin; c < end; ++c) square({c, i[1], i[2]});
  } else {
    const auto [top, bottom] = range(i[1], s.h);
    const auto [left, right] = range(i[2], s.w);
    for (std::int64_t h = top; h < bottom; ++h)
      for (std::int64_t w = left; w < right; ++w) square({i[0], h, w});
  }
  const double squares = sum_of(e.terms), scale = s.k + s.alpha * squares, x = run.x[i];
  e.value = x * std::pow(scale, -s.beta);
  e.then = {fmt::format("s = {} + {} * {:.6g} = {:.10g}", s.k, s.alpha, squares, scale),
            fmt::format("{:.6g} * {:.6g}^-{} = {:.6g} * {:.6g} = {:.6g}", x, scale, s.beta, x,
                        std::pow(scale, -s.beta), e.value)};
  return e;
}

Explanation activation(const LayerRun& run, const Index& i) {
  const double x = run.x[i];
  Explanation e;
  const std::string kind = run.layer->kind();
  if (kind == "ReLU") {
    e.formula = fmt::format("max(0, {})", at("x", i));
    e.then = {fmt::format("max(0, {:.6g}) = {:.6g}", x, std::max(0.0, x))};
    e.value = std::max(0.0, x);
  } else if (kind == "Tanh") {
    e.formula = fmt::format("tanh({})", at("x", i));
    e.value = std::tanh(x);
    e.then = {fmt::format("tanh({:.6g}) = {:.6g}", x, e.value)};
  } else {
    e.formula = fmt::format("1/(1 + exp(-{}))", at("x", i));
    e.value = 1 / (1 + std::exp(-x));
    e.then = {fmt::format("1/(1 + exp({:.6g})) = {:.6g}", -x, e.value)};
  }
  return e;
}

Explanation probability(const LayerRun& run, const Index& i) {
  Explanation e;
  const double top = *std::max_element(run.x.data.begin(), run.x.data.end());
  e.formula = fmt::format("exp({}) / sum over j of exp(x[j])", at("x", i));
  e.notes = {fmt::format("the largest x, {:.6g}, is taken out of every exponent first", top)};
  for (std::int64_t j = 0; j < run.x.shape[0]; ++j) {
    const double x = run.x[{j}];
    e.terms.push_back({fmt::format("exp({} - {:.6g})", at("x", {j}), top),
                       fmt::format("exp({:.6g})", x - top), std::exp(x - top)});
  }
  const double mine = std::exp(run.x[i] - top), all = sum_of(e.terms);
  e.value = mine / all;
  e.then = {fmt::format("{:.6g} / {:.6g} = {:.6g}", mine, all, e.value)};
  return e;
}

// Dropout lets all pass when nobody trains.
bool copies(const Module& layer) {
  return dynamic_cast<const Flatten*>(&layer) || dynamic_cast<const Dropout*>(&layer);
}

}  // namespace

std::int64_t averaged_taps(const Pool2dShape& s, std::int64_t oh, std::int64_t ow) {
  std::int64_t inside = 0;
  for_taps(s.window, oh, ow, [&](auto...) { ++inside; });
  const auto taps = [](const Window1d& w, std::int64_t out) {  // inside of the padded image
    return std::min(w.kernel, w.in + 2 * w.pad - out * w.stride);
  };
  return s.count_include_pad ? taps(s.window.h, oh) * taps(s.window.w, ow) : inside;
}

Explanation explain_forward(const LayerRun& run, const Index& index) {
  check_index(run.name, run.y.shape, index);
  Explanation e;
  if (const auto* conv = dynamic_cast<const Conv2d*>(run.layer))
    e = convolution(run, *conv, index);
  else if (dynamic_cast<const Linear*>(run.layer))
    e = fully_connected(run, index);
  else if (const auto* max_pool = dynamic_cast<const MaxPool2d*>(run.layer))
    e = pool(run, pool2d_shape(run.in, max_pool->options, "max_pool2d"), true, index);
  else if (const auto* mean_pool = dynamic_cast<const AvgPool2d*>(run.layer))
    e = pool(run, pool2d_shape(run.in, mean_pool->options, "avg_pool2d"), false, index);
  else if (const auto* lrn = dynamic_cast<const LocalResponseNorm*>(run.layer))
    e = normalization(run, *lrn, index);
  else if (dynamic_cast<const Activation*>(run.layer))
    e = activation(run, index);
  else if (dynamic_cast<const Softmax*>(run.layer))
    e = probability(run, index);
  else
    throw ValueError(fmt::format(
        "explain: {} is a {}, {}", run.name, run.layer->kind(),
        copies(*run.layer) ? "whose elements are copies of its input's: there is nothing to add up"
                           : "for which there is no explanation"));
  e.element = at("y", index);
  e.tensor = run.y[index];
  return e;
}

}  // namespace limulus::explain

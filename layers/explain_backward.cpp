// An element of the gradient that a layer hands down (dx), or of its weight's or bias's gradient,
// term by term. dy is the gradient of the loss by the layer's output.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "layers/activation.h"
#include "layers/avg_pool2d.h"
#include "layers/conv2d.h"
#include "layers/explain.h"
#include "layers/linear.h"
#include "layers/local_response_norm.h"
#include "layers/max_pool2d.h"
#include "layers/softmax.h"

namespace limulus::explain {
namespace {

Term product(const std::string& a, const Index& ia, double va, const std::string& b,
             const Index& ib, double vb) {
  return {at(a, ia) + " " + at(b, ib), fmt::format("{:.6g} * {:.6g}", va, vb), va * vb, ia};
}

// The output whose tap lies on input `in`, or -1 where there is none.
std::int64_t output_under(const Window1d& w, std::int64_t in, std::int64_t tap) {
  const std::int64_t steps = in + w.pad - tap * w.dilation;
  if (steps < 0 || steps % w.stride != 0 || steps / w.stride >= w.out) return -1;
  return steps / w.stride;
}

// dx[c, ih, iw]: every place of the output that saw this value hands its dy back through the weight
// by which it saw it.
Explanation convolution_input(const LayerRun& run, const Conv2dShape& s, const Index& i) {
  const std::int64_t per_group = s.k / s.groups, channels = s.c / s.groups, group = i[0] / channels,
                     c = i[0] % channels;
  Explanation e;
  e.formula = "sum over k, fh, fw of  dy[k, oh, ow] w[k, c, fh, fw]  with oh, ow under the tap";
  const std::string whose =
      s.groups > 1 ? fmt::format("is in group {} of 0 ... {} and ", group, s.groups - 1) : "";
  e.notes = {fmt::format("channel {} {}was seen by filters {} ... {}", i[0], whose,
                         group * per_group, (group + 1) * per_group - 1)};
  for (std::int64_t k = group * per_group; k < (group + 1) * per_group; ++k)
    for (std::int64_t fh = 0; fh < s.window.h.kernel; ++fh)
      for (std::int64_t fw = 0; fw < s.window.w.kernel; ++fw) {
        const std::int64_t oh = output_under(s.window.h, i[1], fh);
        const std::int64_t ow = output_under(s.window.w, i[2], fw);
        if (oh < 0 || ow < 0) continue;
        const Index in_y = {k, oh, ow}, in_w = {k, c, fh, fw};
        e.terms.push_back(product("dy", in_y, run.dy[in_y], "w", in_w, run.weight[in_w]));
      }
  return e;
}

// dw[k, c, fh, fw]: this weight was used at every place of the output, on another x each time.
Explanation convolution_weight(const LayerRun& run, const Conv2dShape& s, const Index& i) {
  const std::int64_t channel = i[0] / (s.k / s.groups) * (s.c / s.groups) + i[1];
  const Window1d &h = s.window.h, &w = s.window.w;
  Explanation e;
  e.formula = "sum over oh, ow of  dy[k, oh, ow] x[c, oh S + fh - P, ow S + fw - P]";
  e.notes = {fmt::format("the weight was used at {} x {} places, on channel {} of the input", h.out,
                         w.out, channel)};
  for (std::int64_t oh = 0; oh < h.out; ++oh)
    for (std::int64_t ow = 0; ow < w.out; ++ow) {
      const std::int64_t ih = oh * h.stride + i[2] * h.dilation - h.pad;
      const std::int64_t iw = ow * w.stride + i[3] * w.dilation - w.pad;
      if (ih < 0 || ih >= h.in || iw < 0 || iw >= w.in) continue;
      const Index in_y = {i[0], oh, ow}, in_x = {channel, ih, iw};
      e.terms.push_back(product("dy", in_y, run.dy[in_y], "x", in_x, run.x[in_x]));
    }
  return e;
}

Explanation bias(const LayerRun& run, const Index& i) {
  Explanation e;
  if (run.dy.shape.rank() == 1) {
    e.formula = "dy[o]";
    e.terms = {{at("dy", i), "", run.dy[i]}};
    return e;
  }
  e.formula = "sum over oh, ow of  dy[k, oh, ow]";
  for (std::int64_t oh = 0; oh < run.dy.shape[1]; ++oh)
    for (std::int64_t ow = 0; ow < run.dy.shape[2]; ++ow) {
      const Index in_y = {i[0], oh, ow};
      e.terms.push_back({at("dy", in_y), "", run.dy[in_y], in_y});
    }
  return e;
}

Explanation linear_input(const LayerRun& run, const Index& i) {
  Explanation e;
  e.formula = fmt::format("sum over o of  dy[o] w[o, {}]", i[0]);
  for (std::int64_t o = 0; o < run.dy.shape[0]; ++o)
    e.terms.push_back(product("dy", {o}, run.dy[{o}], "w", {o, i[0]}, run.weight[{o, i[0]}]));
  return e;
}

Explanation linear_weight(const LayerRun& run, const Index& i) {
  Explanation e;
  e.formula = "dy[o] x[i]";
  e.terms = {product("dy", {i[0]}, run.dy[{i[0]}], "x", {i[1]}, run.x[{i[1]}])};
  return e;
}

// dx: the dy of every window whose maximum stood here.
Explanation max_pool(const LayerRun& run, const Pool2dShape& s, const Index& i) {
  const Window1d &h = s.window.h, &w = s.window.w;
  Explanation e;
  e.formula = "sum of  dy[c, oh, ow]  over the windows whose first maximum stands here";
  int windows = 0;
  for (std::int64_t fh = h.kernel - 1; fh >= 0; --fh)  // so that windows come in row-major order
    for (std::int64_t fw = w.kernel - 1; fw >= 0; --fw) {
      const std::int64_t oh = output_under(h, i[1], fh), ow = output_under(w, i[2], fw);
      if (oh < 0 || ow < 0) continue;
      ++windows;
      const Index in_y = {i[0], oh, ow};
      bool first = true;  // of the maxima
      double best = -INFINITY;
      for_taps(s.window, oh, ow, [&](auto, auto, std::int64_t ih, std::int64_t iw) {
        const double value = run.x[{i[0], ih, iw}];
        if (!(value > best)) return;
        best = value;
        first = ih == i[1] && iw == i[2];
      });
      if (first)
        e.terms.push_back({at("dy", in_y), "", run.dy[in_y], in_y});
      else
        e.notes.push_back(fmt::format("window {}, {} has its maximum elsewhere", oh, ow));
    }
  e.notes.insert(e.notes.begin(),
                 fmt::format("{} windows hold {} = {:.6g}", windows, at("x", i), run.x[i]));
  return e;
}

// dx: of each window that holds this value, dy shared among the values that it is the mean of.
Explanation average_pool(const LayerRun& run, const Pool2dShape& s, const Index& i) {
  const Window1d &h = s.window.h, &w = s.window.w;
  Explanation e;
  e.formula = "sum of  dy[c, oh, ow] / M  over the windows that hold it, M the values of each";
  for (std::int64_t fh = h.kernel - 1; fh >= 0; --fh)  // so that windows come in row-major order
    for (std::int64_t fw = w.kernel - 1; fw >= 0; --fw) {
      const std::int64_t oh = output_under(h, i[1], fh), ow = output_under(w, i[2], fw);
      if (oh < 0 || ow < 0) continue;
      const Index in_y = {i[0], oh, ow};
      const std::int64_t taps = averaged_taps(s, oh, ow);
      const double dy = run.dy[in_y];
      e.terms.push_back({fmt::format("{} / {}", at("dy", in_y), taps),
                         fmt::format("{:.6g} / {}", dy, taps), dy / static_cast<double>(taps),
                         in_y});
    }
  e.notes = {fmt::format("{} windows hold {}", e.terms.size(), at("x", i))};
  return e;
}

// The elements in the window of i; or, mirrored, those whose window holds i, which is the same
// window only when its size is odd.
std::vector<Index> neighbours(const LrnShape& s, bool across, bool mirrored, const Index& i) {
  struct Range {
    std::int64_t begin, end;
  };
  const auto range = [&](std::int64_t middle, std::int64_t limit) {
    const std::int64_t first = middle + (mirrored ? s.size / 2 - s.size + 1 : -(s.size / 2));
    return Range{std::max<std::int64_t>(0, first), std::min(limit, first + s.size)};
  };
  const Range c = across ? range(i[0], s.c) : Range{i[0], i[0] + 1},
              h = across ? Range{i[1], i[1] + 1} : range(i[1], s.h),
              w = across ? Range{i[2], i[2] + 1} : range(i[2], s.w);
  std::vector<Index> found;
  for (std::int64_t cj = c.begin; cj < c.end; ++cj)
    for (std::int64_t hj = h.begin; hj < h.end; ++hj)
      for (std::int64_t wj = w.begin; wj < w.end; ++wj) found.push_back({cj, hj, wj});
  return found;
}

// dx_i = dy_i s_i^-beta - 2 alpha beta x_i sum over j of dy_j x_j s_j^(-beta - 1)
Explanation normalization(const LayerRun& run, const LrnShape& s, bool across, const Index& i) {
  const auto scale = [&](const Index& j) {
    double squares = 0;
    for (const Index& n : neighbours(s, across, false, j)) squares += run.x[n] * run.x[n];
    return s.k + s.alpha * squares;
  };
  Explanation e;
  e.formula = fmt::format("dy s^-{} - 2*{}*{} x sum over j of  dy[j] x[j] s[j]^-{}", s.beta,
                          s.alpha, s.beta, s.beta + 1);
  const double own = run.dy[i] * std::pow(scale(i), -s.beta);
  const double factor = -2 * s.alpha * s.beta * run.x[i];
  e.notes = {fmt::format("the own share: {} s^-{} = {:.6g} * {:.6g}^-{} = {:.6g}", at("dy", i),
                         s.beta, run.dy[i], scale(i), s.beta, own),
             fmt::format("the cross-{} terms, of the {} j whose window holds {}, "
                         "each times -2*{}*{} x = {:.6g}",
                         across ? "channel" : "place", across ? "channels" : "places",
                         across ? fmt::format("{}", i[0]) : fmt::format("{}, {}", i[1], i[2]),
                         s.alpha, s.beta, factor)};
  e.terms = {{"own share", "", own, i}};
  for (const Index& j : neighbours(s, across, true, i)) {
    const double damp = std::pow(scale(j), -s.beta - 1);
    e.terms.push_back(
        {across ? fmt::format("j = {}", j[0]) : fmt::format("j = {}, {}", j[1], j[2]),
         fmt::format("{:.6g} * {:.6g} * {:.6g} * {:.6g}", factor, run.dy[j], run.x[j], damp),
         factor * run.dy[j] * run.x[j] * damp, j});
  }
  return e;
}

Explanation relu(const LayerRun& run, const Index& i) {
  Explanation e;
  e.formula = "dy where y > 0, else 0";
  e.notes = {fmt::format("{} = {:.6g}: the gradient {}", at("y", i), run.y[i],
                         run.y[i] > 0 ? "passes" : "stops here")};
  e.terms = {{at("dy", i), "", run.y[i] > 0 ? run.dy[i] : 0, i}};
  return e;
}

// tanh' = 1 - y^2 and sigmoid' = y (1 - y): told from the result.
Explanation smooth(const LayerRun& run, bool tanh, const Index& i) {
  const double y = run.y[i], slope = tanh ? 1 - y * y : y * (1 - y);
  const std::string name = at("y", i);
  Explanation e;
  e.formula = tanh ? fmt::format("dy (1 - {}^2)", name) : fmt::format("dy {} (1 - {})", name, name);
  e.notes = {tanh ? fmt::format("1 - {:.6g}^2 = {:.6g}", y, slope)
                  : fmt::format("{:.6g} * (1 - {:.6g}) = {:.6g}", y, y, slope)};
  e.terms = {{at("dy", i), fmt::format("{:.6g} * {:.6g}", run.dy[i], slope), run.dy[i] * slope}};
  return e;
}

Explanation softmax_and_loss(const LayerRun& run, const Index& i) {
  Explanation e;
  e.formula = "softmax(x)[c] - [c is the right class], of softmax and loss together";
  e.notes = {fmt::format("the right class is {}", run.label)};
  e.terms = {{at("softmax(x)", i), "", run.y[i]},
             {"the right class", "", i[0] == run.label ? -1.0 : 0.0}};
  return e;
}

[[noreturn]] void refuse(const LayerRun& run, const std::string& of) {
  throw ValueError(fmt::format("explain: there is no explanation of the {} gradient of {} ({})", of,
                               run.name, run.layer->kind()));
}

Explanation of_input(const LayerRun& run, const Index& i) {
  if (const auto* conv = dynamic_cast<const Conv2d*>(run.layer))
    return convolution_input(run, conv2d_shape(run.in, conv->weight.shape(), conv->options), i);
  if (dynamic_cast<const Linear*>(run.layer)) return linear_input(run, i);
  if (const auto* pool = dynamic_cast<const MaxPool2d*>(run.layer))
    return max_pool(run, pool2d_shape(run.in, pool->options, "max_pool2d"), i);
  if (const auto* pool = dynamic_cast<const AvgPool2d*>(run.layer))
    return average_pool(run, pool2d_shape(run.in, pool->options, "avg_pool2d"), i);
  if (const auto* lrn = dynamic_cast<const LocalResponseNorm*>(run.layer))
    return normalization(run, lrn_shape(run.in, lrn->options),
                         lrn->options.region == LrnRegion::across_channels, i);
  if (dynamic_cast<const ReLU*>(run.layer)) return relu(run, i);
  if (dynamic_cast<const Tanh*>(run.layer)) return smooth(run, true, i);
  if (dynamic_cast<const Sigmoid*>(run.layer)) return smooth(run, false, i);
  if (dynamic_cast<const Softmax*>(run.layer)) return softmax_and_loss(run, i);
  refuse(run, "input");
}

}  // namespace

Explanation explain_backward(const LayerRun& run, const std::string& of, const Index& index) {
  const Values& gradient = of == "input" ? run.dx : of == "weight" ? run.dweight : run.dbias;
  const std::string letter = of == "input" ? "dx" : of == "weight" ? "dw" : "db";
  if (of != "input" && gradient.data.empty()) refuse(run, of);
  check_index(run.name + ": " + letter, gradient.shape, index);
  Explanation e;
  if (of == "input")
    e = of_input(run, index);
  else if (of == "bias")
    e = bias(run, index);
  else if (const auto* conv = dynamic_cast<const Conv2d*>(run.layer))
    e = convolution_weight(run, conv2d_shape(run.in, conv->weight.shape(), conv->options), index);
  else if (dynamic_cast<const Linear*>(run.layer))
    e = linear_weight(run, index);
  else
    refuse(run, of);  // batch normalization's weight is none of these
  e.element = at(letter, index);
  e.value = sum_of(e.terms);
  e.tensor = gradient[index];
  return e;
}

}  // namespace limulus::explain

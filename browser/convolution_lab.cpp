// The convolution laboratory: a photograph goes through convolution and, as one likes, ReLU, local
// response normalization and max pooling, all in double. Then any output can be taken apart into
// its terms, and any gradient into those that it is made of.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "backends/registry.h"
#include "browser/answer.h"
#include "browser/few_outputs.h"
#include "browser/filters.h"
#include "browser/shelf.h"
#include "core/checked.h"
#include "core/error.h"
#include "layers/activation.h"
#include "layers/conv2d.h"
#include "layers/explain.h"
#include "layers/local_response_norm.h"
#include "layers/max_pool2d.h"
#include "layers/walk.h"

namespace limulus::browser {
namespace {

using explain::Explanation;
using explain::Index;
using explain::LayerRun;

// ---- the layers, and what went through them -----------------------------------------------------

struct Stage {
  std::string name;
  std::shared_ptr<Module> layer;
  WalkStep step;
  Tensor x, y;   // [1, C, H, W]
  LayerRun run;  // the same on the host, with dy = 1 everywhere; dx only once it was asked for
};

struct Lab {
  std::vector<Stage> stages;
};
Lab& lab() {
  static Lab instance;
  return instance;
}

Stage& stage_of(const Json& request) {
  std::vector<Stage>& stages = lab().stages;
  const std::int64_t i = whole(request, "stage");
  if (i < 0 || i >= static_cast<std::int64_t>(stages.size()))
    throw ValueError(fmt::format("stage {}: there are {}, from 0 on", i, stages.size()));
  return stages[static_cast<std::size_t>(i)];
}

// The photograph's pixels, RGBA in rows, as [1, 3, H, W].
Tensor photograph(std::int64_t width, std::int64_t height, const Filters& filters) {
  constexpr std::int64_t channels = 3;
  const auto pixels = bytes_of("convolution", "photo");
  if (width < 1 || height < 1 ||
      size_product(size_product(width, height), 4) != static_cast<std::int64_t>(pixels.size()))
    throw ShapeError(
        fmt::format("convolution: {} x {} pixels of 4 bytes are not the {} bytes that "
                    "were handed over",
                    width, height, pixels.size()));
  std::vector<double> x;
  for (std::size_t c = 0; c < channels; ++c)
    for (std::size_t i = 0; i < pixels.size(); i += 4)
      x.push_back((pixels[i + c] - filters.mean[c]) * filters.scale[c]);
  return Tensor::from(x, {1, channels, height, width}, device("reference"));
}

std::vector<Stage> make_layers(const Json& request, const Filters& filters) {
  Backend& backend = device("reference");
  std::vector<Stage> stages;
  const std::int64_t groups = whole(request, "groups");
  const auto conv = std::make_shared<Conv2d>(filters.shape[1], filters.shape[0],
                                             Conv2dOptions{.kernel = filters.shape[2],
                                                           .stride = whole(request, "stride"),
                                                           .pad = whole(request, "padding"),
                                                           .groups = groups},
                                             backend, DType::f64);
  const NoGrad setting_values;
  conv->weight.copy_(
      Tensor::from(weight_in_groups(filters, groups), conv->weight.shape(), backend));
  conv->bias.copy_(Tensor::from(filters.bias, conv->bias.shape(), backend));
  stages.push_back({"convolution", conv, {}, {}, {}, {}});
  if (whole(request, "relu") != 0)
    stages.push_back({"ReLU", std::make_shared<ReLU>(), {}, {}, {}, {}});
  if (const double alpha = number(request, "lrn_alpha"); alpha != 0)
    stages.push_back({"LRN",
                      std::make_shared<LocalResponseNorm>(
                          LrnOptions{.size = whole(request, "lrn_size"), .alpha = alpha}),
                      {},
                      {},
                      {},
                      {}});
  if (const std::int64_t window = whole(request, "pool"); window != 0)
    stages.push_back({"max pooling",
                      std::make_shared<MaxPool2d>(Pool2dOptions{
                          .kernel = window, .stride = Size2d(whole(request, "pool_stride"))}),
                      {},
                      {},
                      {},
                      {}});
  return stages;
}

explain::Values values_of_image(const Tensor& t) {
  auto sizes = t.shape().sizes();
  sizes.erase(sizes.begin());
  return {Shape(sizes), t.to_doubles()};
}

void run_through(std::vector<Stage>& stages, Tensor x) {
  const NoGrad only_looking;
  for (Stage& s : stages) {
    s.x = x;
    s.y = x = s.layer->forward(x);
    s.run.name = s.name;
    s.run.layer = s.layer.get();
    s.run.in = s.x.shape();
    s.run.x = values_of_image(s.x);
    s.run.y = values_of_image(s.y);
    for (const auto& [name, p] : s.layer->parameters())
      (name == "weight" ? s.run.weight : s.run.bias) = {p.shape(), p.to_doubles()};
  }
}

// ---- windows ------------------------------------------------------------------------------------

// What the places `rows` x `columns` of a stage's output are computed from: in its own input, and
// in the photograph.
Json fields(std::size_t stage, Span rows, Span columns) {
  const auto box = [&] { return Json{rows.first, columns.first, rows.last, columns.last}; };
  Json own;
  for (std::size_t i = stage + 1; i-- > 0;) {
    if (const auto& window = lab().stages[i].step.window) {
      rows = window_of(window->h, rows);
      columns = window_of(window->w, columns);
    }
    if (i == stage) own = box();
  }
  return {{"window", own}, {"field", box()}};
}

// ---- an explanation for a page ------------------------------------------------------------------

Json told(const Explanation& e) {
  Json terms = Json::array();
  double sum = 0;
  for (const explain::Term& t : e.terms) {
    sum = e.maximum ? (terms.empty() ? t.value : std::max(sum, t.value)) : sum + t.value;
    terms.push_back({{"what", t.what},
                     {"numbers", t.numbers},
                     {"value", t.value},
                     {"sum", sum},
                     {"place", t.place}});
  }
  return {{"element", e.element}, {"formula", e.formula}, {"notes", e.notes},
          {"maximum", e.maximum}, {"terms", terms},       {"then", e.then},
          {"value", e.value},     {"tensor", e.tensor}};
}

Tensor ones_at(const Shape& shape, std::int64_t flat) {
  std::vector<double> dy(static_cast<std::size_t>(shape.numel()));
  dy[static_cast<std::size_t>(flat)] = 1;
  return Tensor::from(dy, shape, device("reference"));
}

// The gradient by a layer's input. The weights stand still: their own gradients are not computed.
Tensor handed_down(const Stage& stage, const Tensor& dy) {
  if (const auto* conv = dynamic_cast<const Conv2d*>(stage.layer.get()))
    return input_gradient_of_few(*conv, stage.x, dy);
  const Tensor x = stage.x.detach().set_requires_grad();
  stage.layer->forward(x).backward(dy);
  return x.grad();
}

}  // namespace

// ---- what can be asked --------------------------------------------------------------------------

Json convolution(const Json& request) {
  constexpr std::int64_t most = 400'000'000;  // multiply-adds: a few seconds
  lab().stages.clear();                       // whatever fails, nothing old is explained
  const Filters filters = make_filters(text(request, "filters"));
  const Tensor x = photograph(whole(request, "width"), whole(request, "height"), filters);
  std::vector<Stage> stages = make_layers(request, filters);
  Json steps = Json::array();
  Shape shape = x.shape();
  for (Stage& s : stages) {
    s.step = s.layer->walk(shape).front();
    shape = s.step.out;
    if (s.step.multiply_adds > most || s.step.out.numel() > most / 40)
      throw ValueError(fmt::format(
          "convolution: {} values and {} multiply-adds would take too long on a page; choose a "
          "larger stride, a smaller picture or fewer filters",
          s.step.out.numel(), s.step.multiply_adds));
    steps.push_back({{"name", s.name},
                     {"kind", s.step.kind},
                     {"formula", s.step.formula},
                     {"detail", s.step.detail},
                     {"in", std::vector(s.step.in.sizes().begin() + 1, s.step.in.sizes().end())},
                     {"out", std::vector(s.step.out.sizes().begin() + 1, s.step.out.sizes().end())},
                     {"multiply_adds", s.step.multiply_adds}});
  }
  run_through(stages, x);
  put_values("input", stages.front().run.x.data);
  put_values("weight", stages.front().run.weight.data);
  put_values("bias", stages.front().run.bias.data);
  for (std::size_t i = 0; i < stages.size(); ++i)
    put_values(fmt::format("stage/{}", i), stages[i].run.y.data);
  const Shape weight = stages.front().run.weight.shape;
  lab().stages = std::move(stages);
  return {{"steps", steps}, {"filters", {{"names", filters.names}, {"shape", weight.sizes()}}}};
}

Json element(const Json& request) {
  Stage& stage = stage_of(request);
  const Index index = wholes(request, "index");
  Json said = told(explain::explain_forward(stage.run, index));
  const auto which = static_cast<std::size_t>(&stage - lab().stages.data());
  said.update(fields(which, {index[1], index[1]}, {index[2], index[2]}));
  return said;
}

Json reach(const Json& request) {
  Stage& stage = stage_of(request);
  if (stage.run.dx.data.empty()) {
    const Tensor dy = Tensor::full(stage.y.shape(), 1, DType::f64, stage.y.backend());
    stage.run.dy = values_of_image(dy);
    stage.run.dx = values_of_image(handed_down(stage, dy));
  }
  return told(explain::explain_backward(stage.run, "input", wholes(request, "index")));
}

Json gradient(const Json& request) {
  Stage& stage = stage_of(request);
  const Index index = wholes(request, "index");
  explain::check_index(stage.name, stage.run.y.shape, index);
  Tensor d = ones_at(stage.y.shape(), flat_of(index, stage.run.y.shape));
  for (auto i = static_cast<std::size_t>(&stage - lab().stages.data()) + 1; i-- > 0;)
    d = handed_down(lab().stages[i], d);
  const std::vector<double> values = d.to_doubles();
  const auto largest = std::max_element(
      values.begin(), values.end(), [](double a, double b) { return std::abs(a) < std::abs(b); });
  Json said = {
      {"values", values.size()},
      {"not_zero", std::count_if(values.begin(), values.end(), [](double v) { return v != 0; })},
      {"largest", *largest}};
  put_values("gradient", values);
  return said;
}

}  // namespace limulus::browser

// An image through a network up to one layer, and from its output on to the loss: what
// explain_forward and explain_backward look at.
#include <fmt/core.h>

#include <utility>

#include "core/error.h"
#include "core/names.h"
#include "layers/cross_entropy.h"
#include "layers/explain.h"
#include "layers/softmax.h"

namespace limulus::explain {
namespace {

Values values_of(const Tensor& t, bool without_batch) {
  if (!t.defined()) return {};
  auto sizes = t.shape().sizes();
  if (without_batch) sizes.erase(sizes.begin());
  return {Shape(sizes), t.to_doubles()};
}

using NamedLayers = std::vector<std::pair<std::string, Module*>>;

// The layers that compute, in the order in which they run, and softmax as the last.
NamedLayers layers_of(Module& model, Module& softmax) {
  NamedLayers layers;
  model.visit([&](const std::string& name, Module& m) {
    if (std::string(m.kind()) == "Branches")
      throw ValueError(
          "explain: the layers of this network do not follow one another: it has ways that part "
          "and meet, and an element is explained only in a network without");
    if (std::string(m.kind()) == "AlexNetTowers")
      throw ValueError(
          "explain: the layers of alexnet-towers do not follow one another; alexnet is the same "
          "function, and has the same elements");
    if (std::string(m.kind()) != "Sequential") layers.emplace_back(name, &m);
  });
  layers.emplace_back("softmax", &softmax);
  return layers;
}

std::size_t place_of(const NamedLayers& layers, const std::string& layer) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (layers[i].first == layer) return i;
    names.push_back(layers[i].first);
  }
  throw ValueError(
      fmt::format("explain: this network has no layer '{}'{}", layer, known_names(layer, names)));
}

Tensor parameter(const Module& m, const std::string& name) {
  for (const auto& [key, t] : m.parameters())
    if (key == name) return t;
  return {};
}

// No gradient of a parameter while this lives; then those that were there before.
class GradientsAside {
 public:
  explicit GradientsAside(const Module& model) {
    for (auto& [name, p] : model.parameters()) {
      saved_.emplace_back(p, p.grad());
      p.zero_grad();
    }
  }
  ~GradientsAside() {
    for (auto& [p, grad] : saved_) p.set_grad(grad);
  }
  GradientsAside(const GradientsAside&) = delete;
  GradientsAside& operator=(const GradientsAside&) = delete;

 private:
  std::vector<std::pair<Tensor, Tensor>> saved_;
};

// Fills in the gradients of layer `which`: what follows it is run once more, from y on, up to the
// loss, and dy goes through the layer alone.
void add_gradients(const NamedLayers& layers, std::size_t which, const Tensor& x, const Tensor& y,
                   LayerRun& run) {
  const Tensor label = Tensor::from(std::vector<std::int64_t>{run.label}, {1}, x.backend());
  Tensor in = x.detach().set_requires_grad();
  if (which + 1 == layers.size()) {  // softmax: one with the loss
    cross_entropy(in, label).backward();
    run.dx = values_of(in.grad(), true);
    return;
  }
  Tensor from_y = y.detach().set_requires_grad(), logits = from_y;
  for (std::size_t i = which + 1; i + 1 < layers.size(); ++i)
    logits = layers[i].second->forward(logits);
  cross_entropy(logits, label).backward();
  run.dy = values_of(from_y.grad(), true);
  layers[which].second->forward(in).backward(from_y.grad());
  run.dx = values_of(in.grad(), true);
  for (const auto& [name, gradient] : {std::pair{"weight", &run.dweight}, {"bias", &run.dbias}}) {
    const Tensor p = parameter(*layers[which].second, name);
    if (p.defined()) *gradient = values_of(p.grad(), false);
  }
}

}  // namespace

Explanation explain_in_network(Module& network, const Tensor& image, const Element& element) {
  if (image.shape().rank() < 1 || image.shape()[0] != 1)
    throw ShapeError(
        fmt::format("explain: one image is explained, [1, ...], and x is {}", image.shape().str()));
  if (network.training())
    throw ValueError(
        "explain: the network is in training mode, in which dropout drops; call eval()");
  Softmax softmax;
  const NamedLayers layers = layers_of(network, softmax);
  const std::size_t which = place_of(layers, element.layer);
  Module& layer = *layers[which].second;
  const GradientsAside aside(network);
  Tensor x = image, y;
  {
    const NoGrad only_looking;
    for (std::size_t i = 0; i < which; ++i) x = layers[i].second->forward(x);
    y = layer.forward(x);
  }
  LayerRun run;
  run.name = element.layer;
  run.layer = &layer;
  run.in = x.shape();
  run.x = values_of(x, true);
  run.y = values_of(y, true);
  run.weight = values_of(parameter(layer, "weight"), false);
  run.bias = values_of(parameter(layer, "bias"), false);
  run.label = element.label;
  if (!element.backward) return explain_forward(run, element.index);
  add_gradients(layers, which, x, y, run);
  return explain_backward(run, element.of, element.index);
}

}  // namespace limulus::explain

// The photograph through the network, and the gradient back.
#include "training/report/look.h"

#include <fmt/format.h>

#include "core/algebra.h"
#include "core/error.h"
#include "layers/activation.h"
#include "layers/cross_entropy.h"
#include "layers/softmax.h"
#include "training/data/resize.h"
#include "training/metrics.h"

namespace limulus {
namespace {

std::int64_t target_of(const Look& look, const LookOptions& options) {
  const auto classes = static_cast<std::int64_t>(look.probabilities.size());
  if (!options.target) return top_k(look.probabilities.data(), classes, 1)[0];
  if (*options.target < 0 || *options.target >= classes)
    throw ValueError(fmt::format("look: class {} of a network with {} classes, 0 ... {}",
                                 *options.target, classes, classes - 1));
  return *options.target;
}

}  // namespace

std::vector<SeenLayer> layers_of(Module& model) {
  std::vector<SeenLayer> layers;
  model.visit([&](const std::string& name, Module& m) {
    const std::string kind = m.kind();
    if (kind == "Branches")
      throw ValueError(
          "look: the layers of this network do not follow one another: it has ways that part and "
          "meet, so that they cannot be shown one by one; figure 3 --out filters.png shows "
          "filters");
    if (kind == "AlexNetTowers")
      throw ValueError(
          "look: the layers of alexnet-towers do not follow one another, so that they cannot be "
          "shown one by one; a network trained as alexnet is the same function");
    if (kind != "Sequential") layers.push_back({name, &m, {}, {}, {}});
  });
  return layers;
}

std::vector<float> floats_of(const Tensor& t) {
  const std::vector<double> values = t.to_doubles();
  return {values.begin(), values.end()};
}

Tensor carry_back(std::vector<SeenLayer>& layers, std::size_t last, Tensor dy, ReluRule rule,
                  bool keep) {
  for (std::size_t i = last + 1; i-- > 0;) {
    SeenLayer& layer = layers[i];
    if (keep) layer.dy = dy;
    if (dynamic_cast<const ReLU*>(layer.module) != nullptr) {
      if (rule != ReluRule::gradient) dy = relu(dy);
      if (rule != ReluRule::deconvolution) dy = relu_backward(layer.y, dy);
    } else {  // the layer's own backward, through a graph of this layer alone
      Tensor x = layer.x.detach().set_requires_grad();
      const Tensor y = layer.module->forward(x);
      y.backward(dy);
      dy = x.grad();
    }
  }
  return dy;
}

Look look_at(const TrainedModel& trained, const Image& photograph, const LookOptions& options) {
  Augment shown = trained.config.augment;
  shown.random = shown.ten_crop = false;
  check(shown, trained.normalization);
  const std::int64_t side = shown.crop, channels = shown.channels;
  const Image prepared = prepare(photograph, trained.config.prepare);
  std::vector<float> pixels(static_cast<std::size_t>(channels * side * side));
  augment(prepared, {}, shown, trained.normalization, pixels.data());

  Look look;
  look.picture = crop_middle(prepared, shown.crop, shown.crop);
  for (auto& [name, parameter] : trained.model->parameters()) parameter.set_requires_grad(false);
  const Tensor any = trained.model->parameters().at(0).second;
  Backend& backend = any.backend();
  look.input = Tensor::from(pixels, {1, channels, side, side}, backend);
  if (any.dtype() == DType::f64) look.input = look.input.to_dtype(DType::f64);
  look.layers = layers_of(*trained.model);
  Tensor x = look.input;
  for (SeenLayer& layer : look.layers) {
    layer.x = x;
    x = layer.y = layer.module->forward(x);
  }
  look.probabilities = floats_of(softmax(x));
  look.target = target_of(look, options);

  // d(-ln p)/d(logits), then layer by layer to the pixels.
  Tensor logits = x.detach().set_requires_grad();
  cross_entropy(logits, Tensor::from(std::vector{look.target}, {1}, backend)).backward();
  look.dinput = carry_back(look.layers, look.layers.size() - 1, logits.grad(), ReluRule::gradient,
                           /*keep=*/true);
  if (options.explain) look.why = explain_why(trained, look, options);
  return look;
}

}  // namespace limulus

#include "training/report/snapshot.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "layers/softmax.h"
#include "training/data/image_cache.h"
#include "training/evaluate.h"
#include "training/metrics.h"
#include "training/report/filter_grid.h"
#include "training/trainer.h"

namespace limulus {
namespace {

constexpr std::int64_t kMostMaps = 24, kMostClasses = 10;

struct LayerOutput {
  std::string name;
  Tensor y;
};

// Those maps that stand behind a nonlinearity; where no layer has such, behind a convolution.
std::vector<LayerOutput> outputs_with_maps(Module& model, const Tensor& input, Tensor* logits) {
  std::map<std::string, std::string> kinds;
  model.visit([&](const std::string& name, Module& m) { kinds[name] = m.kind(); });
  std::vector<LayerOutput> active, linear;
  {
    const LayerObserver observe([&](const std::string& name, const Tensor& y) {
      if (y.shape().rank() != 4) return;
      const std::string& kind = kinds[name];
      if (kind == "ReLU" || kind == "Tanh" || kind == "Sigmoid") active.push_back({name, y});
      if (kind == "Conv2d") linear.push_back({name, y});
    });
    *logits = model.forward(input);
  }
  return active.empty() ? linear : active;
}

SnapshotMaps chosen_maps(const LayerOutput& layer) {
  const Shape& shape = layer.y.shape();
  SnapshotMaps maps;
  maps.layer = layer.name;
  maps.maps = shape[1];
  maps.shown = std::min(kMostMaps, maps.maps);
  maps.height = shape[2];
  maps.width = shape[3];
  const std::vector<double> all = layer.y.to_doubles();
  const std::int64_t area = maps.height * maps.width;
  std::vector<double> chosen;
  for (std::int64_t i = 0; i < maps.shown; ++i) {
    const auto begin = all.begin() + evenly_spaced(i, maps.shown, maps.maps) * area;
    chosen.insert(chosen.end(), begin, begin + area);
  }
  maps.picture = report::filter_grid(chosen, {maps.shown, 1, maps.height, maps.width}).picture;
  return maps;
}

}  // namespace

Snapshot take_snapshot(Module& model, const Tensor& input) {
  const NoGrad looking_only;
  const EvalMode as_in_a_test(model);
  Snapshot s;
  if (const Tensor w = first_filters(model); w.defined()) {
    const Shape& shape = w.shape();
    s.filters = report::filter_grid(w.to_doubles(), shape).picture;
    s.filters_size =
        fmt::format("{} of {}\u00D7{}\u00D7{}", shape[0], shape[2], shape[3], shape[1]);
  }
  Tensor logits;
  const std::vector<LayerOutput> outputs = outputs_with_maps(model, input, &logits);
  if (!outputs.empty()) s.maps.push_back(chosen_maps(outputs.front()));
  if (outputs.size() > 1) s.maps.push_back(chosen_maps(outputs.back()));
  s.probabilities = softmax(logits).to_vector<float>();
  return s;
}

std::string maps_text(const SnapshotMaps& m) {
  return fmt::format("{} of {}, {}\u00D7{} each",
                     m.shown < m.maps ? fmt::format("{} of the {} maps", m.shown, m.maps)
                                      : fmt::format("the {} maps", m.maps),
                     m.layer, m.height, m.width);
}

std::vector<std::int64_t> shown_classes(const std::vector<float>& probabilities) {
  const auto classes = static_cast<std::int64_t>(probabilities.size());
  if (classes > kMostClasses)
    return top_k(probabilities.data(), classes, static_cast<int>(kMostClasses));
  std::vector<std::int64_t> all(probabilities.size());
  std::iota(all.begin(), all.end(), std::int64_t{0});
  return all;
}

}  // namespace limulus

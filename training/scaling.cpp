#include "training/scaling.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <limits>
#include <map>

#include "core/rng.h"
#include "layers/cross_entropy.h"
#include "layers/linear.h"
#include "training/freeze.h"
#include "training/sgd.h"

namespace limulus {
namespace {

// The weights of fully connected layers whose input needs a gradient, and their biases: what goes
// as factors. A layer before all others that learn has no such input.
std::map<const TensorImpl*, bool> weights_by_factors(const Module& network) {
  std::map<const TensorImpl*, bool>
      found;  // true: a weight; false: its bias, which follows from it
  bool first = true;
  const_cast<Module&>(network).visit([&](const std::string&, Module& m) {
    const auto* layer = dynamic_cast<const Linear*>(&m);
    if (layer != nullptr && !first && layer->weight.requires_grad()) {
      found[layer->weight.impl().get()] = true;
      if (layer->bias.defined()) found[layer->bias.impl().get()] = false;
    }
    const auto own = m.parameters();
    const bool leaf = dynamic_cast<const Sequential*>(&m) == nullptr;
    if (leaf && !own.empty()) first = false;
  });
  return found;
}

// The fastest of a few runs, in seconds.
double seconds_of(const std::function<void()>& run, int times = 3) {
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < times; ++i) {
    const auto start = std::chrono::steady_clock::now();
    run();
    best = std::min(
        best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

}  // namespace

std::vector<Traffic> expected_traffic(const Module& network, int machines, std::int64_t batch,
                                      Exchange exchange) {
  const double others = machines - 1, share = others / machines;  // (R - 1)/R
  const auto images = static_cast<double>(batch);
  const auto parameters = trained_parameters(network);
  // Each tells all others: two counts and the number that are right; a loss for each of its images;
  // of factors, how many rows there are (parallel_step.cpp).
  std::vector<Traffic> traffic = {
      {"losses and counts", "", others * (8.0 * 3 + 4 * images / machines)}};
  const auto by_factors = exchange == Exchange::factors ? weights_by_factors(network)
                                                        : std::map<const TensorImpl*, bool>{};
  for (const auto& [name, w] : parameters) {
    const auto factors = by_factors.find(w.impl().get());
    if (factors == by_factors.end())
      traffic.push_back({name, "gradient", 2 * share * 4 * static_cast<double>(w.numel())});
    else if (factors->second)
      traffic.push_back(
          {name, "factors",
           others * 8 + share * 4 * images * static_cast<double>(w.size(0) + w.size(1))});
  }
  return traffic;
}

namespace {

// A layer that learns, as the forecast sees it.
struct LayerCost {
  std::string name;
  double multiply_adds = 0;  // forward
  bool product = false;      // dw is counted in StepTimes::products
  double seconds = 0;        // on the network
  bool factors = false;      // the product is formed when they have come
};

std::string layer_of(const std::string& parameter) {
  return parameter.substr(0, parameter.rfind('.'));
}

// In the network's order.
std::vector<LayerCost> layer_costs(const Module& network, const Shape& image,
                                   const std::vector<Traffic>& traffic, const Cluster& cluster,
                                   int machines) {
  std::vector<LayerCost> layers;
  std::map<std::string, double> multiply_adds;
  for (const WalkStep& step : network.walk({1, image[0], image[1], image[2]}))
    multiply_adds[step.name] += static_cast<double>(step.multiply_adds);
  const auto by_factors = weights_by_factors(network);
  for (const auto& [name, w] : trained_parameters(network)) {
    const std::string layer = layer_of(name);
    if (layers.empty() || layers.back().name != layer)
      layers.push_back({.name = layer, .multiply_adds = multiply_adds[layer]});
    if (by_factors.contains(w.impl().get())) layers.back().product = true;
  }
  // Each array is exchanged in two rounds, in each of which a machine has a message for every other
  // one; factors have a third, for their number of rows.
  for (const Traffic& t : traffic)
    for (LayerCost& layer : layers) {
      if (layer.name != layer_of(t.name)) continue;
      layer.factors = layer.factors || t.as == std::string("factors");
      const double rounds = layer.factors ? 3 : 2;
      layer.seconds += rounds * (machines - 1) * cluster.latency + t.bytes / cluster.bandwidth;
    }
  return layers;
}

}  // namespace

StepForecast forecast(const Module& network, const Shape& image, const StepTimes& times,
                      const Cluster& cluster, int machines, std::int64_t batch, Exchange exchange,
                      std::int64_t micro_batches_of_each) {
  StepForecast f{.machines = machines, .batch = batch};
  const auto images = static_cast<double>(batch);
  // The machine with the most images decides.
  const std::int64_t rounded_up = (batch + machines - 1) / machines;
  const auto most = static_cast<double>(rounded_up);
  f.compute = times.per_image * most + times.update +
              times.products * (exchange == Exchange::factors ? images : most);
  const std::vector<Traffic> traffic = expected_traffic(network, machines, batch, exchange);
  const auto layers = layer_costs(network, image, traffic, cluster, machines);
  for (const Traffic& t : traffic) f.bytes += t.bytes;
  // Losses and counts take three rounds, when nothing is computed.
  const double counts = 3 * (machines - 1) * cluster.latency + traffic[0].bytes / cluster.bandwidth;

  // Seconds of a product of a layer for one image: as many as its part of all multiply-adds.
  double products = 0, others = 0;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    others += layers[i].multiply_adds * (layers[i].product || i == 0 ? 2 : 3);
    if (layers[i].product) products += layers[i].multiply_adds;
  }
  const auto seconds = [&](const LayerCost& l) {
    return l.multiply_adds > 0 ? times.per_image * l.multiply_adds / others : 0.0;
  };
  const auto product = [&](const LayerCost& l) {
    return l.product && products > 0 ? times.products * l.multiply_adds / products : 0.0;
  };

  const double last = most / static_cast<double>(micro_batches_of_each);  // images
  double computed = 0, sent = 0;  // when the machine and the network are done, so far
  std::vector<double> arrived;
  for (std::size_t i = layers.size(); i-- > 0;) {
    const LayerCost& l = layers[i];
    computed += last * seconds(l) * (l.product || i == 0 ? 1 : 2);
    if (!l.factors) computed += last * product(l);
    sent = std::max(sent, computed) + l.seconds;
    arrived.push_back(sent);
    f.communicate += l.seconds;
  }
  f.waiting = counts;
  for (std::size_t i = layers.size(), k = 0; i-- > 0; ++k) {
    f.waiting += std::max(0.0, arrived[k] - computed);
    computed = std::max(computed, arrived[k]);
    if (layers[i].factors) computed += images * product(layers[i]);
  }
  f.communicate += counts;
  return f;
}

StepTimes measure_step(Module& network, Backend& backend, const Shape& image, std::int64_t batch,
                       std::int64_t classes) {
  Rng rng(1);
  std::vector<float> pixels(static_cast<std::size_t>(batch * image.numel()));
  for (float& v : pixels) v = static_cast<float>(rng.normal());
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < batch; ++i) labels.push_back(i % classes);
  const Tensor x = Tensor::from(pixels, {batch, image[0], image[1], image[2]}, backend);
  const Tensor t = Tensor::from(labels, {batch}, backend);
  Sgd optimizer(trained_parameters(network), {.lr = 0});
  const auto step = [&] {
    optimizer.zero_grad();
    cross_entropy(network.forward(x), t).backward();
    backend.synchronize();
  };
  const auto images = static_cast<double>(batch);
  StepTimes times;
  step();  // the first warms caches and the allocator
  const double all = seconds_of(step);
  times.update = seconds_of([&] {
    optimizer.step();
    backend.synchronize();
  });
  double products = 0;
  const auto by_factors = weights_by_factors(network);
  for (const auto& [name, w] : trained_parameters(network)) {
    const auto found = by_factors.find(w.impl().get());
    if (found == by_factors.end() || !found->second) continue;
    const Tensor in = Tensor::full({batch, w.size(1)}, 1, w.dtype(), backend);
    const Tensor out = Tensor::full({batch, w.size(0)}, 1, w.dtype(), backend);
    products += seconds_of([&] {
      linear_weight_gradient(in, out);
      backend.synchronize();
    });
  }
  times.products = products / images;
  times.per_image = std::max(0.0, all - products) / images;
  return times;
}

}  // namespace limulus

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
  // three numbers for each parameter (parallel_step.cpp).
  std::vector<Traffic> traffic = {
      {"losses and counts", "",
       others * (8.0 * (3 + 3 * static_cast<double>(parameters.size())) + 4 * images / machines)}};
  const auto by_factors = exchange == Exchange::factors ? weights_by_factors(network)
                                                        : std::map<const TensorImpl*, bool>{};
  for (const auto& [name, w] : parameters) {
    const auto factors = by_factors.find(w.impl().get());
    if (factors == by_factors.end())
      traffic.push_back({name, "gradient", 2 * share * 4 * static_cast<double>(w.numel())});
    else if (factors->second)
      traffic.push_back(
          {name, "factors", share * 4 * images * static_cast<double>(w.size(0) + w.size(1))});
  }
  return traffic;
}

StepForecast forecast(const Module& network, const StepTimes& times, const Cluster& cluster,
                      int machines, std::int64_t batch, Exchange exchange) {
  StepForecast f{.machines = machines, .batch = batch};
  const auto images = static_cast<double>(batch);
  // The machine with the most images decides.
  const std::int64_t rounded_up = (batch + machines - 1) / machines;
  const auto most = static_cast<double>(rounded_up);
  f.compute = times.per_image * most + times.update +
              times.products * (exchange == Exchange::factors ? images : most);
  const std::vector<Traffic> traffic = expected_traffic(network, machines, batch, exchange);
  // Each array is exchanged in two rounds, in each of which a machine has a message for every other
  // one; losses and counts take four rounds.
  double messages = 4 * (machines - 1);
  for (const Traffic& t : traffic) {
    f.bytes += t.bytes;
    if (t.as[0] != '\0') messages += 2 * (machines - 1);
  }
  f.communicate = messages * cluster.latency + f.bytes / cluster.bandwidth;
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

// limulus bench: how fast a network runs here, and where the time goes.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "backends/registry.h"
#include "core/error.h"
#include "core/pool.h"
#include "core/rng.h"
#include "layers/cross_entropy.h"
#include "models/models.h"
#include "tools/commands.h"
#include "training/profile.h"
#include "training/sgd.h"

namespace limulus::tools {
namespace {

struct BenchArguments {
  std::string model = "alexnet", device = "cpu", layer;
  std::int64_t batch = 32;
  int repeat = 5, threads = 0;
  bool inference = false, json = false;
};

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

// A network with data to run it on.
struct Subject {
  explicit Subject(const BenchArguments& a)
      : backend(device(a.device)), model(make_model(a.model, 0, backend)) {
    initialize(*model, Recipe::he, 1);
    const ModelSpec& spec = model_spec(a.model);
    const Shape in = {a.batch, spec.input[0], spec.input[1], spec.input[2]};
    steps = model->walk(in);
    Rng rng(1);
    x = Tensor::empty(in, DType::f32, backend);
    fill_normal(x, 0, 1, rng);
    std::vector<std::int64_t> classes(static_cast<std::size_t>(a.batch));
    for (auto& c : classes)
      c = static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(spec.classes)));
    labels = Tensor::from(classes, {a.batch}, backend);
    if (!a.inference)  // its velocities are as large as the weights
      optimizer = std::make_unique<Sgd>(model->parameters(), SgdOptions{.lr = 1e-6});
  }

  void run(bool inference) {
    if (inference) {
      const NoGrad not_learning;
      model->eval();
      model->forward(x);
    } else {
      model->train();
      cross_entropy(model->forward(x), labels).backward();
      optimizer->step();
      optimizer->zero_grad();
    }
    backend.synchronize();
  }

  Backend& backend;
  std::shared_ptr<Module> model;
  std::vector<WalkStep> steps;
  Tensor x, labels;
  std::unique_ptr<Sgd> optimizer;
};

// The median over the repetitions of each layer's times, in the order in which layers ran.
std::vector<LayerTime> medians(const std::vector<std::vector<LayerTime>>& runs) {
  std::vector<LayerTime> result = runs[0];
  for (LayerTime& layer : result) {
    std::vector<double> forward, backward;
    for (const auto& run : runs)
      for (const LayerTime& other : run)
        if (other.layer == layer.layer) {
          forward.push_back(other.forward);
          backward.push_back(other.backward);
        }
    layer.forward = median(forward);
    layer.backward = median(backward);
  }
  return result;
}

void bench(const BenchArguments& a) {
  if (a.threads > 0) set_device_threads(a.threads);
  Subject subject(a);
  subject.run(a.inference);  // warms caches and the allocator

  std::vector<double> seconds;
  for (int i = 0; i < a.repeat; ++i) {
    const auto start = std::chrono::steady_clock::now();
    subject.run(a.inference);
    seconds.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::vector<std::vector<LayerTime>> runs;
  for (int i = 0; i < a.repeat; ++i) {
    const Profile profile;
    subject.run(a.inference);
    runs.push_back(profile.layers());
  }
  const std::vector<LayerTime> layers = medians(runs);
  const double whole = median(seconds);
  const auto images = static_cast<double>(a.batch);
  std::map<std::string, double> flops;  // of the forward pass
  for (const WalkStep& s : subject.steps)
    flops[s.name] = 2 * static_cast<double>(s.multiply_adds) * images;

  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  const auto rate = [](double work, double time) { return time > 0 ? work / time / 1e9 : 0; };
  if (!a.json) {
    fmt::print("{} on {}: {}, batch {}\n\n", a.model, subject.backend.description(),
               a.inference ? "inference" : "training step", a.batch);
    fmt::print("{:<12} {:>11} {:>9} {:>12} {:>9}\n", "layer", "forward ms", "GFLOP/s",
               "backward ms", "GFLOP/s");
  }
  for (const LayerTime& l : layers) {
    if (!a.layer.empty() && l.layer != a.layer) continue;
    // Backward computes two products of the forward's size; the first layer only one.
    const bool first = l.layer == subject.steps[0].name;
    const double forward_rate = rate(flops[l.layer], l.forward);
    const double backward_rate = rate(flops[l.layer] * (first ? 1 : 2), l.backward);
    rows.push_back({{"layer", l.layer},
                    {"forward_ms", 1e3 * l.forward},
                    {"backward_ms", 1e3 * l.backward},
                    {"forward_gflops", forward_rate},
                    {"backward_gflops", backward_rate}});
    const auto shown = [](double r) { return r > 0 ? fmt::format("{:.1f}", r) : std::string("-"); };
    if (!a.json)
      fmt::print("{:<12} {:>11.2f} {:>9} {:>12.2f} {:>9}\n",
                 l.layer.empty() ? "loss, update" : l.layer, 1e3 * l.forward, shown(forward_rate),
                 1e3 * l.backward, shown(backward_rate));
  }
  if (rows.empty()) throw ValueError("bench: this network has no layer '" + a.layer + "'");
  const double megabytes = static_cast<double>(subject.backend.pool().stats().peak_bytes) / 1e6;
  if (a.json)
    fmt::print("{}\n", nlohmann::ordered_json{{"model", a.model},
                                              {"device", subject.backend.description()},
                                              {"batch", a.batch},
                                              {"training", !a.inference},
                                              {"ms", 1e3 * whole},
                                              {"images_per_second", images / whole},
                                              {"peak_buffer_mb", megabytes},
                                              {"layers", rows}}
                           .dump(2));
  else
    fmt::print("\n{:.1f} ms, {:.1f} images/s (median of {}); buffers at most {:.0f} MB\n",
               1e3 * whole, images / whole, a.repeat, megabytes);
}

}  // namespace

void add_bench(CLI::App& app) {
  auto a = std::make_shared<BenchArguments>();
  CLI::App* c = app.add_subcommand("bench", "Time a network, layer by layer");
  c->footer(
      "Example: limulus bench --model alexnet --batch 32\n"
      "         limulus bench --inference --batch 1 --threads 1");
  c->add_option("--model", a->model, "Network")->capture_default_str();
  c->add_option("--batch", a->batch, "Images at a time")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  c->add_option("--layer", a->layer, "Show only this layer");
  c->add_flag("--inference", a->inference, "Forward only, without dropout");
  c->add_option("--repeat", a->repeat, "Repetitions, of which the median is shown")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  c->add_option("--device", a->device, "limulus devices lists them")->capture_default_str();
  c->add_option("--threads", a->threads, "Threads of the cpu device")->check(CLI::Range(1, 1024));
  c->add_flag("--json", a->json, "As JSON");
  c->callback([a] { bench(*a); });
}

}  // namespace limulus::tools

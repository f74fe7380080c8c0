// limulus bench: how fast a network runs here, and where the time goes.
#include <fmt/core.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>

#include "backends/registry.h"
#include "core/buffer_pool.h"
#include "core/denormals.h"
#include "core/error.h"
#include "core/names.h"
#include "core/printable.h"
#include "core/rng.h"
#include "formats/atomic_file.h"
#include "layers/cross_entropy.h"
#include "layers/linear.h"
#include "models/models.h"
#include "tools/bench/roof.h"
#include "tools/bench/svg.h"
#include "tools/bench/timing.h"
#include "tools/commands.h"
#include "tools/plugin.h"
#include "tools/terminal.h"
#include "tools/usage.h"
#include "training/profile.h"
#include "training/sgd.h"
#include "training/trained_model.h"

namespace limulus::tools {
namespace {

struct BenchArguments {
  std::string model = "alexnet", device = "cpu", layer, svg, checkpoint;
  std::int64_t batch = 32, classes = 0;  // 0: the model's
  int repeat = 5, threads = 0;
  bool inference = false, json = false, flush_denormals = false;
  DType weights = DType::f32;
};

// CPU time of this thread. On a device with a queue the host only enqueues, and its work in a step
// is this time until the last command is in the queue. It is not the time on the clock until then:
// where the device is the processor itself (PoCL), the kernels of its threads take this thread's
// cores away, and the clock would count them as the host's work. What the driver does in threads of
// its own is not counted either; it shows in the step's time.
double thread_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// A network with data to run it on.
struct BenchedNetwork {
  explicit BenchedNetwork(const BenchArguments& a) : all(devices(a.device)), backend(*all.front()) {
    Shape in;
    std::int64_t classes = a.classes;
    if (a.checkpoint.empty()) {
      const OpenedModel opened = open_model(a.model, a.classes, backend, DType::f32,
                                            {.second = all.size() > 1 ? all[1] : nullptr});
      model = opened.model;
      if (!is_model_file(a.model)) initialize(*model, Recipe::he, 1);
      in = opened.spec.input;
      if (classes == 0) classes = opened.spec.classes;
    } else {
      const TrainedModel trained = load_trained(a.checkpoint, a.device);
      const Augment& input = trained.config.augment;
      model = trained.model;
      classes = std::ssize(trained.classes);
      in = {input.channels, input.crop, input.crop};
    }
    in = {a.batch, in[0], in[1], in[2]};
    store_linear_weights(*model, a.weights);
    steps = model->walk(in);
    Rng rng(1);
    x = Tensor::empty(in, DType::f32, backend);
    fill_normal(x, 0, 1, rng);
    std::vector<std::int64_t> truth(static_cast<std::size_t>(a.batch));
    for (auto& c : truth)
      c = static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(classes)));
    labels = Tensor::from(truth, {a.batch}, backend);
    if (!a.inference)  // its velocities are as large as the weights
      optimizer = std::make_unique<Sgd>(model->parameters(), SgdOptions{.lr = 1e-6});
  }

  // Returns the host's work in a step, in seconds.
  double run(bool inference) {
    const double start = thread_seconds();
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
    const double host = thread_seconds() - start;
    for (Backend* each : all) each->synchronize();
    return host;
  }

  std::vector<Backend*> all;
  Backend& backend;  // where images are given
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

// One direction of a layer beside the roof.
struct Rated {
  double seconds = 0, flops = 0, bytes = 0;
  double share = 0;              // of the speed that the roof allows
  bool bound_by_memory = false;  // which part of the roof that is

  Rated(double time, double f, double b, const Roof& roof) : seconds(time), flops(f), bytes(b) {
    const double compute = f / roof.flops, memory = b / roof.bytes;
    bound_by_memory = memory > compute;
    if (time > 0) share = std::max(compute, memory) / time;
  }
  bool known() const { return seconds > 0 && bytes > 0; }
  // Worth a look: far from the roof, and more than one percent of the whole.
  bool slow(double whole) const { return known() && share < 0.6 && seconds > 0.01 * whole; }
  std::string rate() const {
    if (!known()) return "-";
    return bound_by_memory ? fmt::format("{:.1f} GB/s", bytes / seconds / 1e9)
                           : fmt::format("{:.0f} GFLOP/s", flops / seconds / 1e9);
  }
  std::string percent(double whole) const {
    return known() ? fmt::format("{:.0f} %{}", 100 * share, slow(whole) ? " <" : "  ") : "-  ";
  }
};

constexpr const char* row_format = "{:<16} {:>9} {:>13} {:>8} {:>9} {:>13} {:>8}  {}\n";

std::string both_methods(const LayerTime& t) {
  if (t.backward_method.empty() || t.backward_method == t.forward_method) return t.forward_method;
  return t.forward_method + "; backward " + t.backward_method;
}

void print_table(const BenchArguments& a, const std::vector<BenchedLayer>& layers, const Roof& roof,
                 double whole) {
  fmt::print(row_format, "layer", "forward", "", "of roof", a.inference ? "" : "backward", "",
             a.inference ? "" : "of roof", "method");
  const auto ms = [](double s) { return s > 0 ? fmt::format("{:.2f} ms", 1e3 * s) : ""; };
  for (const BenchedLayer& l : layers) {
    const Rated f(l.time.forward, l.work.forward_flops, l.work.forward_bytes, roof);
    const Rated b(l.time.backward, l.work.backward_flops, l.work.backward_bytes, roof);
    const bool back = l.time.backward > 0;
    fmt::print(row_format, l.name, ms(f.seconds), f.rate(), f.percent(whole), ms(b.seconds),
               back ? b.rate() : "", back ? b.percent(whole) : "", both_methods(l.time));
  }
  fmt::print(
      "\nThe roof: {:.0f} GFLOP/s ({}) and {:.1f} GB/s (y = a x + b), whichever a layer meets\n"
      "first, each array counted once. Winograd's method multiplies less than its operations, "
      "which\n"
      "are counted as the direct method's, so it can pass 100 %. \"<\" marks what is below 60 % "
      "of\n"
      "the roof and above 1 % of the time.\n",
      roof.flops / 1e9,
      roof.measured_by_product ? "the best product of matrices" : "multiply-adds in registers",
      roof.bytes / 1e9);
}

void write_roofline(const BenchArguments& a, const std::vector<BenchedLayer>& layers,
                    const Roof& roof) {
  std::vector<RoofPoint> points;
  for (const BenchedLayer& l : layers)  // those that multiply and add
    if (l.work.forward_flops > 0 && l.time.forward > 0)
      points.push_back({l.name.substr(0, l.name.find('+')),
                        l.work.forward_flops / l.work.forward_bytes,
                        l.work.forward_flops / l.time.forward});
  write_file_atomically(
      a.svg, roofline_svg(fmt::format("{}, forward, batch {}", a.model, a.batch), roof, points));
  say(fmt::format("The roofline as a picture: {}", printable(a.svg)));
}

void bench(const CLI::App& command, const BenchArguments& a) {
  if (a.weights != DType::f32 && !a.inference)
    throw ValueError("bench: weights stored as bf16 do not learn; add --inference");
  use_threads(command, a.threads, a.device);
  auto subject = std::make_unique<BenchedNetwork>(a);
  subject->run(a.inference);  // warms caches and the allocator

  std::vector<double> seconds, host_seconds;
  for (int i = 0; i < a.repeat; ++i) {
    const double start = now();
    host_seconds.push_back(subject->run(a.inference));
    seconds.push_back(now() - start);
  }
  std::vector<std::vector<LayerTime>> runs;
  for (int i = 0; i < a.repeat; ++i) {
    const Profile profile;
    subject->run(a.inference);
    runs.push_back(profile.layers());
  }
  const double whole = median(seconds), host = median(host_seconds);
  const double mean = std::accumulate(seconds.begin(), seconds.end(), 0.0) / a.repeat;
  const bool queued = a.device.starts_with("opencl");  // else the host computes
  const auto images = static_cast<double>(a.batch);
  Backend& backend = subject->backend;
  double megabytes = 0;
  for (Backend* each : subject->all)
    megabytes += static_cast<double>(each->pool().stats().peak_bytes) / 1e6;
  const std::vector<WalkStep> steps = subject->steps;
  subject
      .reset();  // the roof's arrays go where the network was: the process's peak is the network's
  const Roof roof = measure_roof(backend);
  std::vector<BenchedLayer> layers = join(steps, medians(runs), a.weights);
  if (!a.layer.empty()) {
    std::vector<std::string> names;
    for (const BenchedLayer& l : layers) names.push_back(l.name);
    std::erase_if(layers, [&](const BenchedLayer& l) {
      return ("+" + l.name + "+").find("+" + a.layer + "+") == std::string::npos;
    });
    if (layers.empty())
      throw ValueError(fmt::format("bench: this network has no layer '{}'{}", a.layer,
                                   known_names(a.layer, names)));
  }
  if (!a.svg.empty()) write_roofline(a, layers, roof);
  if (!a.json) {
    fmt::print("{} on {}: {}, batch {}\n\n", a.model, printable(description_of(a.device)),
               a.inference ? "inference" : "training step", a.batch);
    print_table(a, layers, roof, whole);
    fmt::print("\n{:.1f} ms, {:.1f} images/s (median of {}); buffers at most {:.0f} MB\n",
               1e3 * whole, images / whole, a.repeat, megabytes);
    if (queued)
      fmt::print("the host enqueues with {:.2f} ms of its own work: {:.1f} % of the step\n",
                 1e3 * host, 100 * host / whole);
    return;
  }
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const BenchedLayer& l : layers) {
    const Rated f(l.time.forward, l.work.forward_flops, l.work.forward_bytes, roof);
    const Rated b(l.time.backward, l.work.backward_flops, l.work.backward_bytes, roof);
    rows.push_back({{"layer", l.name},
                    {"forward_ms", 1e3 * f.seconds},
                    {"forward_flops", f.flops},
                    {"forward_bytes", f.bytes},
                    {"forward_share", f.share},
                    {"forward_method", l.time.forward_method},
                    {"backward_ms", 1e3 * b.seconds},
                    {"backward_flops", b.flops},
                    {"backward_bytes", b.bytes},
                    {"backward_share", b.share},
                    {"backward_method", l.time.backward_method}});
  }
  nlohmann::ordered_json all = {
      {"model", a.model},         {"device", description_of(a.device)},   {"batch", a.batch},
      {"training", !a.inference}, {"linear_weights", name_of(a.weights)}, {"ms", 1e3 * whole},
      {"mean_ms", 1e3 * mean},    {"images_per_second", images / whole}};
  if (queued) all["host_ms"] = 1e3 * host, all["host_share"] = host / whole;
  all["peak_buffer_mb"] = megabytes;
  all["roof_gflops"] = roof.flops / 1e9;
  all["roof_gbytes"] = roof.bytes / 1e9;
  all["layers"] = rows;
  fmt::print("{}\n", all.dump(2));
}

}  // namespace

void add_bench(CLI::App& app) {
  auto a = std::make_shared<BenchArguments>();
  CLI::App* c = app.add_subcommand("bench", "Time a network, layer by layer");
  c->footer(
      "Example: limulus bench --model alexnet --batch 32\n"
      "         limulus bench --inference --batch 1 --threads 1\n"
      "         limulus bench --model alexnet-towers --device cpu:0/2,cpu:1/2\n"
      "         limulus bench ladder");
  CLI::Option* model = c->add_option("--model", a->model, "Network, or an .onnx file with one")
                           ->capture_default_str();
  CLI::Option* checkpoint =
      c->add_option("--checkpoint", a->checkpoint, "Or the network in this checkpoint")
          ->excludes(model);
  c->add_option("--batch", a->batch, "Images at a time")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  c->add_option("--classes", a->classes, "Number of classes (default: the network's own)")
      ->check(CLI::Range(1, 1 << 20))
      ->excludes(checkpoint);
  c->add_option("--layer", a->layer, "Show only this layer");
  c->add_flag("--inference", a->inference, "Forward only, without dropout");
  c->add_option("--repeat", a->repeat, "Repetitions, of which the median is shown")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  c->add_option("--device", a->device, "limulus devices lists them")->capture_default_str();
  add_plugin_option(*c, a->device);
  c->add_option("--threads", a->threads, "Threads of the cpu device")->check(CLI::Range(1, 1024));
  add_weights_option(*c, a->weights);
  c->add_option("--svg", a->svg, "Also draw the roofline, into this file");
  c->add_flag("--json", a->json, "As JSON");
  add_denormals_option(*c, a->flush_denormals);
  add_bench_ladder(*c);
  c->callback([a, c] {
    const FlushDenormals denormals(a->flush_denormals);
    if (!a->checkpoint.empty()) a->model = load_config(a->checkpoint).model;
    if (c->get_subcommands().empty()) bench(*c, *a);
  });
}

}  // namespace limulus::tools

// limulus bench ladder: from a formula to the library's kernel, each rung timed and checked.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "backends/cpu/cpu_backend.h"
#include "core/buffer_pool.h"
#include "core/error.h"
#include "core/printable.h"
#include "core/rng.h"
#include "core/tensor.h"
#include "formats/atomic_file.h"
#include "tools/bench/ladder.h"
#include "tools/bench/ladder/rungs.h"
#include "tools/bench/probes/fma_peak.h"
#include "tools/bench/probes/stream_probe.h"
#include "tools/bench/svg.h"
#include "tools/bench/timing.h"
#include "tools/commands.h"
#include "tools/terminal.h"
#include "tools/usage.h"

namespace limulus::tools {
namespace {

struct Climbed {
  std::string name;
  int threads = 1;
  double seconds = 0, error = 0;
};

// In memory of the backend, as a network's weights are: large arrays lie in large pages (arena.h).
Tensor random_values(std::int64_t n, CpuBackend& backend, Rng& rng) {
  Tensor t = Tensor::empty({n}, DType::f32, backend);
  fill_normal(t, 0, 1, rng);
  return t;
}

const float* floats(const Tensor& t) { return static_cast<const float*>(t.data()); }

cpu::Context with_threads(const CpuBackend& backend, int threads) {
  cpu::Context context = backend.context();
  context.threads = threads;
  return context;
}

// Bytes a second of a loop that reads the array and does nothing else, the best of some runs: what
// a kernel that uses each of its numbers once can have at most.
double read_bandwidth(const std::string& isa, const cpu::Context& context, Tensor& array) {
  const cpu::StreamProbe probe = LIMULUS_OF_ISA(isa, stream_probe);
  const cpu::StreamArray whole{static_cast<float*>(array.mutable_data()), array.numel(),
                               cpu::Role::read};
  float sink = 0;
  double shortest = 1e30;
  const double end = now() + 0.3;
  while (now() < end) {
    const double start = now();
    probe(context, &whole, 1, false, &sink);
    shortest = std::min(shortest, now() - start);
  }
  return 4.0 * static_cast<double>(array.numel()) / shortest;
}

// Runs each rung for about `seconds`, at least once; takes the shortest time. The error is the
// largest difference from the first rung's result, beside the largest value of that.
template <class Rung, class Run>
std::vector<Climbed> climb(const cpu::Ladder<Rung>& ladder, CpuBackend& backend, double seconds,
                           std::size_t outputs, Run run) {
  std::vector<float> first, y(outputs);
  std::vector<Climbed> climbed;
  for (int i = 0; i < ladder.count; ++i) {
    const Rung& rung = ladder.rungs[i];
    const cpu::Context context = with_threads(backend, rung.all_threads ? backend.threads() : 1);
    Climbed c{rung.name, context.threads, 1e30, 0};
    std::fill(y.begin(), y.end(), std::nanf(""));  // so that a forgotten element shows
    double spent = 0;
    do {
      const double start = now();
      run(rung, context, y.data());
      const double time = now() - start;
      c.seconds = std::min(c.seconds, time);
      spent += time;
    } while (spent < seconds);
    if (first.empty()) first = y;
    double largest = 0;
    for (std::size_t j = 0; j < outputs; ++j) {
      const double difference = std::abs(static_cast<double>(y[j]) - first[j]);
      c.error = std::isnan(difference) ? difference : std::max(c.error, difference);
      largest = std::max(largest, std::abs(static_cast<double>(first[j])));
      if (std::isnan(c.error)) break;
    }
    c.error /= largest;
    if (!(c.error < 1e-4))
      throw ValueError(
          fmt::format("bench ladder: '{}' differs from the first rung by {:.2g} of its "
                      "largest value: this kernel is wrong",
                      rung.name, c.error));
    climbed.push_back(std::move(c));
  }
  return climbed;
}

struct Climb {
  std::string title, unit;
  double work = 0;                      // operations or bytes of one run
  double limit_one = 0, limit_all = 0;  // the same a second, at most
  std::vector<Climbed> rungs;
};

void print(const Climb& c) {
  fmt::print("{}\n\n{:<34} {:>8} {:>10} {:>9} {:>9} {:>8} {:>8}\n", c.title, "", "threads", "ms",
             c.unit, "of limit", "faster", "error");
  double before = 0;
  for (const Climbed& r : c.rungs) {
    const double rate = c.work / r.seconds, limit = r.threads == 1 ? c.limit_one : c.limit_all;
    fmt::print("{:<34} {:>8} {:>10.2f} {:>9.1f} {:>7.0f} % {:>8} {:>8.0e}\n", r.name, r.threads,
               1e3 * r.seconds, rate / 1e9, 100 * rate / limit,
               before == 0 ? "" : fmt::format("{:.1f} x", before / r.seconds), r.error);
    before = r.seconds;
  }
  fmt::print("\n");
}

nlohmann::ordered_json to_json(const Climb& c) {
  nlohmann::ordered_json rungs = nlohmann::ordered_json::array();
  for (const Climbed& r : c.rungs)
    rungs.push_back({{"name", r.name},
                     {"threads", r.threads},
                     {"ms", 1e3 * r.seconds},
                     {"rate", c.work / r.seconds / 1e9},
                     {"share", c.work / r.seconds / (r.threads == 1 ? c.limit_one : c.limit_all)},
                     {"error", r.error}});
  return {{"title", c.title},
          {"unit", c.unit},
          {"limit_one_thread", c.limit_one / 1e9},
          {"limit", c.limit_all / 1e9},
          {"rungs", rungs}};
}

void run_ladder(const LadderArguments& a) {
  if (a.device.starts_with("opencl")) return run_opencl_ladder(a);
  if (a.device != "cpu")
    throw ValueError("bench ladder: --device is cpu or an OpenCL device, not " + a.device);
  if (!a.rungs.empty()) throw ValueError("bench ladder: --rungs is for an OpenCL device");
  const std::string isa = cpu_instruction_set();
  if (isa.empty())
    throw DeviceError("bench ladder: its kernels need AVX2, which this processor does not have");
  CpuBackend backend(a.threads);
  const auto convolutions = LIMULUS_OF_ISA(isa, conv_ladder());
  const auto products = LIMULUS_OF_ISA(isa, vector_ladder());
  const int threads = backend.threads();

  Rng rng(1);
  Climb conv{"AlexNet's conv3, four images: 384 filters of 256 x 3 x 3 on 13 x 13",
             "GFLOP/s",
             0,
             fma_peak(isa, 1, 0.2),
             fma_peak(isa, threads, 0.2),
             {}};
  {
    const Conv2dShape s{4, 256, 384, 1, make_window(13, 13, {.kernel = 3, .pad = 1}, "conv2d")};
    conv.work = 2.0 * 4 * 384 * 169 * 256 * 9;
    const Tensor x = random_values(4 * 256 * 169, backend, rng),
                 w = random_values(384 * 256 * 9, backend, rng),
                 b = random_values(384, backend, rng);
    conv.rungs = climb(convolutions, backend, a.seconds, 4 * 384 * 169,
                       [&](const cpu::ConvRung& rung, const cpu::Context& context, float* y) {
                         rung.run(context, s, floats(x), floats(w), floats(b), y);
                       });
  }
  Climb fc{"AlexNet's fc6, one image: 4096 x 9216 weights, each used once", "GB/s", 0, 0, 0, {}};
  {
    const LinearShape s{.n = 1, .in = 9216, .out = 4096};
    fc.work = 4.0 * 9216 * 4096;
    const Tensor x = random_values(s.in, backend, rng), b = random_values(s.out, backend, rng);
    Tensor w = random_values(s.in * s.out, backend, rng);
    const auto limits = [&] {  // before the rungs and after them, since the machine's speed drifts
      fc.limit_one = std::max(fc.limit_one, read_bandwidth(isa, with_threads(backend, 1), w));
      fc.limit_all = std::max(fc.limit_all, read_bandwidth(isa, backend.context(), w));
    };
    limits();
    fc.rungs = climb(products, backend, a.seconds, 4096,
                     [&](const cpu::VectorRung& rung, const cpu::Context& context, float* y) {
                       rung.run(context, s, floats(x), floats(w), floats(b), y);
                     });
    limits();
  }
  if (a.json) {
    fmt::print("{}\n", nlohmann::ordered_json{{"device", backend.description()},
                                              {"threads", threads},
                                              {"ladders", {to_json(conv), to_json(fc)}}}
                           .dump(2));
  } else {
    fmt::print("{}\n\n", printable(backend.description()));
    print(conv);
    print(fc);
    fmt::print(
        "The limits, of one thread and of {}: {:.0f} and {:.0f} GFLOP/s (multiply-adds in "
        "registers), {:.1f}\nand {:.1f} GB/s (a loop that reads the weights and does nothing "
        "else). Error: the largest difference\nfrom the first rung.\n",
        threads, conv.limit_one / 1e9, conv.limit_all / 1e9, fc.limit_one / 1e9,
        fc.limit_all / 1e9);
  }
  if (!a.svg.empty()) {
    std::vector<Bar> bars;
    for (const Climbed& r : conv.rungs) bars.push_back({r.name, conv.work / r.seconds / 1e9});
    write_file_atomically(a.svg, bars_svg(conv.title, conv.unit, bars));
    say(fmt::format("The convolution's ladder as a picture: {}", a.svg));
  }
}

}  // namespace

void add_bench_ladder(CLI::App& bench) {
  auto a = std::make_shared<LadderArguments>();
  CLI::App* c = bench.add_subcommand(
      "ladder", "From a formula to the fastest kernel, rung by rung (docs/performance)");
  c->add_option("--device", a->device,
                "cpu, or opencl:0: normalization and a product (docs/opencl.md)")
      ->capture_default_str();
  c->add_option("--rungs", a->rungs,
                "A folder with other kernels for an OpenCL device (tools/bench/ladder)");
  c->add_option("--threads", a->threads, "Of the last rungs (default: all)")
      ->check(CLI::Range(1, 1024));
  c->add_option("--seconds", a->seconds, "For each rung, which runs at least once")
      ->check(between(0.0, 3600.0))
      ->capture_default_str();
  c->add_option("--svg", a->svg, "Also as a picture, into this file");
  c->add_flag("--json", a->json, "As JSON");
  c->callback([a, &bench] {
    allow_only(bench, "the command before the word \"ladder\"", {});  // they would be ignored
    run_ladder(*a);
  });
}

}  // namespace limulus::tools

// How fast the passes over memory are (LRN, pooling, ReLU, bias, dropout, softmax, SGD, and fully
// connected layers of one image), beside how fast the processor could move their bytes at all.
//
//     memory_bench                            AlexNet's sizes, batch 32, on all threads
//     memory_bench --threads 1 lrn pool1      those whose name contains one of the words
//     LIMULUS_ISA=avx2 memory_bench --json    with other kernels, for programs
//
// The bytes of a pass are every input once and every output once. The limit is a loop that moves
// the same bytes of the same arrays and computes nothing (stream_probe.h), the faster of its two
// ways to write; it is timed in turns with the kernel. Arrays that fit into a cache stay there, for
// both;
// --cold empties the caches before every repetition.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <ctime>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "backends/cpu/cpu_backend.h"
#include "backends/registry.h"
#include "benchmarks/memory_passes.h"
#include "tools/bench/timing.h"

using namespace limulus;
using cpu::Role;

namespace {

// The clock of one pass. On one thread it stands still while other programs have the processor.
double pass_clock(int threads) {
  if (threads > 1) return now();
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// The fastest repetition: other programs on the machine make a pass slower, never faster.
double best(const std::vector<double>& v) {
  return v.empty() ? 0 : *std::min_element(v.begin(), v.end());
}

// ---- timing ------------------------------------------------------------------------------------

struct Timing {
  double kernel = 0, ordinary = 0, around = 0;  // seconds; 0: not measured
  double bytes = 0;
  int repetitions = 0;
  double limit() const { return around > 0 ? std::min(ordinary, around) : ordinary; }
};

Timing time_pass(const Pass& pass, const cpu::Context& ctx, double seconds, bool cold) {
  const cpu::StreamProbe probe = LIMULUS_OF_ISA(cpu_instruction_set(), stream_probe);
  Timing t;
  const int count = static_cast<int>(pass.arrays.size());
  bool writes = false;
  for (const cpu::StreamArray& a : pass.arrays) {
    t.bytes += 4.0 * static_cast<double>(a.n) * (a.role == Role::update ? 2 : 1);
    writes = writes || a.role == Role::write;
  }
  static std::vector<char> larger_than_caches(cold ? 128 << 20 : 0);
  float sink = 0;
  const auto once = [&](const auto& f, std::vector<double>& times) {
    if (cold)
      for (std::size_t i = 0; i < larger_than_caches.size(); i += 64) ++larger_than_caches[i];
    else
      f();  // whatever can be in the caches is
    const double start = pass_clock(ctx.threads);
    f();
    times.push_back(pass_clock(ctx.threads) - start);
  };
  std::vector<double> kernel, ordinary, around;
  const double end = now() + seconds;
  for (int r = 0; r < 3 || now() < end; ++r) {
    if (pass.run) once(pass.run, kernel);
    once([&] { probe(ctx, pass.arrays.data(), count, false, &sink); }, ordinary);
    if (writes) once([&] { probe(ctx, pass.arrays.data(), count, true, &sink); }, around);
  }
  t.kernel = best(kernel);
  t.ordinary = best(ordinary);
  t.around = best(around);
  t.repetitions = static_cast<int>(ordinary.size());
  return t;
}

// ---- the program -------------------------------------------------------------------------------

struct Arguments {
  int threads = 0;
  std::int64_t batch = 32;
  double seconds = 0.2;
  bool json = false, cold = false;
  std::vector<std::string> words;
};

void run(const Arguments& a) {
  if (a.threads > 0) set_device_threads(a.threads);
  if (cpu_instruction_set().empty()) throw std::runtime_error("memory_bench: needs AVX2");
  auto& backend = dynamic_cast<CpuBackend&>(device("cpu"));
  const cpu::Context& context = backend.context();
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  if (!a.json) {
    fmt::print("{}, batch {}\n", backend.description(), a.batch);
    fmt::print("{:<26} {:>8} {:>9} {:>7} {:>7}   limit: {:>9} {:>9} GB/s\n", "", "MB", "ms", "GB/s",
               "share", "ordinary", "around");
  }
  for (const Entry& entry : alexnet_passes(a.batch)) {
    const auto asked = [&](const std::string& w) {
      return entry.name.find(w) != std::string::npos;
    };
    if (!a.words.empty() && std::none_of(a.words.begin(), a.words.end(), asked)) continue;
    Arrays arrays(backend);
    const Timing t = time_pass(entry.make(backend, arrays), context, a.seconds, a.cold);
    const auto gbps = [&](double s) { return s > 0 ? 1e-9 * t.bytes / s : 0; };
    const double share = t.kernel > 0 ? t.limit() / t.kernel : 0;
    rows.push_back({{"name", entry.name},
                    {"bytes", t.bytes},
                    {"ms", 1e3 * t.kernel},
                    {"gbps", gbps(t.kernel)},
                    {"share", share},
                    {"limit_ordinary_gbps", gbps(t.ordinary)},
                    {"limit_around_caches_gbps", gbps(t.around)},
                    {"repetitions", t.repetitions}});
    if (a.json) continue;
    const auto number = [](double v, int digits) {
      return v > 0 ? fmt::format("{:.{}f}", v, digits) : std::string();
    };
    fmt::print("{:<26} {:>8.2f} {:>9} {:>7} {:>7}          {:>9} {:>9}\n", entry.name,
               1e-6 * t.bytes, number(1e3 * t.kernel, 3), number(gbps(t.kernel), 1),
               t.kernel > 0 ? fmt::format("{:.0f} %", 100 * share) : "",
               number(gbps(t.ordinary), 1), number(gbps(t.around), 1));
  }
  if (a.json)
    fmt::print("{}\n", nlohmann::ordered_json{{"device", backend.description()},
                                              {"threads", context.threads},
                                              {"batch", a.batch},
                                              {"cold", a.cold},
                                              {"passes", rows}}
                           .dump(2));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("AlexNet's passes over memory, and the bandwidth that their bytes allow");
  Arguments a;
  app.add_option("words", a.words, "Only passes whose name contains one of these");
  app.add_option("--threads", a.threads, "Default: all")->check(CLI::Range(1, 1024));
  app.add_option("--batch", a.batch, "Images")->check(CLI::Range(1, 4096))->capture_default_str();
  app.add_option("--seconds", a.seconds, "For each pass")
      ->check(CLI::Range(0.001, 3600.0))
      ->capture_default_str();
  app.add_flag("--cold", a.cold, "Nothing in the caches at the beginning");
  app.add_flag("--json", a.json, "As JSON");
  CLI11_PARSE(app, argc, argv);
  try {
    run(a);
  } catch (const std::exception& e) {
    fmt::print(stderr, "{}\n", e.what());
    return 1;
  }
}

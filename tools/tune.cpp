// limulus tune: the sizes with which OpenCL kernels are fastest on a device, by measurement.
//
// A size is a -D option of the kernels (backends/opencl/tuning.h). One group of them after the
// other is varied while the others stay: the best tile is looked for first, then the blocks that it
// walks, and so on. A variant counts if it is faster by a margin, and if every row of the table of
// cases (gradcheck/cases/op_cases.h) then comes out as on `reference`.
#ifdef LIMULUS_OPENCL
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <memory>

#include "backends/opencl/cache.h"
#include "backends/opencl/opencl_backend.h"
#include "backends/opencl/tuning.h"
#include "backends/registry.h"
#include "core/environment.h"
#include "core/error.h"
#include "core/names.h"
#include "core/printable.h"
#include "core/rng.h"
#include "gradcheck/cases/op_cases.h"
#include "layers/conv2d.h"
#include "layers/local_response_norm.h"
#include "tools/bench/timing.h"
#include "tools/commands.h"
#include "tools/terminal.h"
#include "tools/usage.h"

namespace limulus::tools {
namespace {

using opencl::Tuning;

constexpr double margin = 1.03;  // what a variant must be faster by: timing is noisy

struct TuneArguments {
  std::string device = "opencl:0";
  double seconds = 0.3;
  std::vector<std::string> only;  // names of knobs; all where there are none
  bool dry_run = false;
};

// ---- what is measured ---------------------------------------------------------------------------

Tensor random_tensor(const Shape& shape, Backend& backend) {
  Tensor t = Tensor::empty(shape, DType::f32, backend);
  Rng rng(1);
  fill_normal(t, 0, 1, rng);
  return t;
}

using Work = std::function<void()>;

// A card is busy with more than a processor.
bool on_processor(Backend& backend) {
  return dynamic_cast<OpenClBackend&>(backend).tuning().processor;
}

Work product(Backend& backend) {
  const std::int64_t n = on_processor(backend) ? 768 : 2048;
  const Tensor a = random_tensor({n, n}, backend), b = random_tensor({n, n}, backend);
  Tensor c = Tensor::empty({n, n}, DType::f32, backend);
  return [&backend, a, b, c, n]() mutable {
    backend.gemm(DType::f32, {n, n, n, false, false, n, n, n, 0}, a.data(), b.data(),
                 c.mutable_data());
  };
}

// Forward, and both gradients, of a convolution with square windows.
Work convolution(Backend& backend, const Shape& image, std::int64_t kernels,
                 const Conv2dOptions& options, std::int64_t window) {
  Tensor x = random_tensor(image, backend);
  Tensor w = random_tensor({kernels, image[1] / options.groups, window, window}, backend);
  for (Tensor* t : {&x, &w}) t->set_requires_grad();
  return [x, w, options]() mutable {
    const Tensor y = conv2d(x, w, Tensor(), options);
    y.backward(y.detach());
    x.zero_grad();
    w.zero_grad();
  };
}

Work first_convolution(Backend& backend) {
  return convolution(backend, {4, 3, 227, 227}, 96, {.stride = 4}, 11);
}
Work third_convolution(Backend& backend) {
  return convolution(backend, {on_processor(backend) ? 16 : 128, 256, 13, 13}, 384, {.pad = 1}, 3);
}

Work elementwise(Backend& backend) {
  const std::int64_t n = 1 << 21;
  const Tensor x = random_tensor({n}, backend);
  Tensor y = Tensor::empty({n}, DType::f32, backend);
  return [&backend, x, y, n]() mutable {
    backend.unary(DType::f32, UnaryOp::relu, n, x.data(), y.mutable_data());
    backend.accumulate(DType::f32, n, x.data(), y.mutable_data());
  };
}

Work normalization(Backend& backend) {
  Tensor x = random_tensor({8, 96, 55, 55}, backend);
  x.set_requires_grad();
  return [x]() mutable {
    const Tensor y = local_response_norm(x, {});
    y.backward(y.detach());
    x.zero_grad();
  };
}

// The shortest run of some: what else the machine does only makes it longer.
double shortest(const Work& work, Backend& backend, double seconds) {
  const auto once = [&] {
    const double start = now();
    work();
    backend.synchronize();
    return now() - start;
  };
  once();  // builds the kernels
  double best = std::numeric_limits<double>::infinity();
  const double end = now() + seconds;
  for (int i = 0; i < 3 || now() < end; ++i) best = std::min(best, once());
  return best;
}

// ---- what is varied ----------------------------------------------------------------------------

struct Knob {
  const char* name;
  std::vector<Work (*)(Backend&)> works;
  std::function<std::vector<Tuning>(const Tuning&)> variants;
};

// The variants in which `set` puts each of the values.
template <class T>
auto each(std::vector<T> values, void (*set)(Tuning&, T)) {
  return [values = std::move(values), set](const Tuning& best) {
    std::vector<Tuning> all;
    for (const T& value : values) {
      all.push_back(best);
      set(all.back(), value);
    }
    return all;
  };
}

// On a processor, vectors as long as its registers, or half of that.
std::vector<Tuning> tiles(const Tuning& best) {
  const std::vector<int> rows =
      best.processor ? std::vector<int>{4, 6, 8, 10, 12, 14} : std::vector<int>{4, 8, 16};
  std::vector<Tuning> all;
  for (const int vec : {best.vec_f32 / 2, best.vec_f32, 2 * best.vec_f32})
    for (const int r : rows) {
      if (vec < 2 || vec > (best.processor ? best.vec_f32 : 8)) continue;
      Tuning t = best;
      t.vec_f32 = vec;
      t.vec_f64 = std::max(2, vec / 2);
      t.tile_rows = r;
      all.push_back(t);
    }
  return all;
}

std::vector<Tuning> groups(const Tuning& best) {
  std::vector<Tuning> all;
  for (const auto& [a, b] : {std::pair{8, 8}, {8, 16}, {16, 8}, {16, 16}})
    for (const int slice : {8, 16}) {
      Tuning t = best;
      t.group_a = a;
      t.group_b = b;
      t.slice = slice;
      all.push_back(t);
    }
  return all;
}

std::vector<Knob> knobs(bool processor) {
  std::vector<Knob> all = {{"tile", {product, third_convolution}, tiles}};
  if (!processor) {
    all.push_back({"group", {product, third_convolution}, groups});
    all.push_back({"items",
                   {elementwise, normalization},
                   each<int>({32, 64, 128, 256}, [](Tuning& t, int n) { t.group = n; })});
    return all;
  }
  all.push_back(
      {"block", {product, third_convolution}, each<int>({192, 256, 384, 512}, [](Tuning& t, int n) {
         t.k_block = t.k_pass = n;
       })});
  all.push_back({"taps", {first_convolution}, each<int>({12, 18, 24, 30}, [](Tuning& t, int n) {
                   t.taps_run = n;
                 })});
  all.push_back({"chunk", {third_convolution}, each<int>({8, 16, 24, 48}, [](Tuning& t, int n) {
                   t.winograd_bytes = std::int64_t{n} << 20;
                 })});
  all.push_back({"run", {elementwise}, each<int>({1024, 4096, 16384, 65536}, [](Tuning& t, int n) {
                   t.run = n;
                 })});
  all.push_back({"across", {normalization}, each<int>({64, 128, 256, 512}, [](Tuning& t, int n) {
                   t.run_across = n;
                 })});
  return all;
}

// ---- what counts -------------------------------------------------------------------------------

// "" or the row of the table in which a result is further from the reference's than rounding
// explains; the bound is ops_parity_test's.
std::string disagreement(OpenClBackend& backend) {
  static std::map<std::string, std::vector<std::vector<double>>> exact;  // computed once
  std::vector<DType> types = {DType::f32};
  if (backend.has_double()) types.push_back(DType::f64);
  for (const OpCase& c : op_cases()) {
    auto& wanted = exact[c.name];
    if (wanted.empty())
      for (const Tensor& t : run_case(c, DType::f64, device("reference")).values)
        wanted.push_back(t.to_doubles());
    for (const DType dtype : types) {
      const double eps = dtype == DType::f32 ? std::numeric_limits<float>::epsilon()
                                             : std::numeric_limits<double>::epsilon();
      const CaseResult got = run_case(c, dtype, backend);
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        double squares = 0;
        for (const double v : wanted[i]) squares += v * v;
        const double rms = std::sqrt(squares / static_cast<double>(wanted[i].size()));
        const std::vector<double> values = got.values[i].to_doubles();
        for (std::size_t k = 0; k < values.size(); ++k) {
          const double bound = 64 * eps * c.condition * std::max(std::abs(wanted[i][k]), rms);
          if (!(std::abs(values[k] - wanted[i][k]) <= bound))
            return fmt::format("{} of \"{}\"", got.names[i], c.name);
        }
      }
    }
  }
  return "";
}

double measure(const Knob& knob, Backend& backend, double seconds) {
  double sum = 0;
  for (const auto& work : knob.works) sum += shortest(work(backend), backend, seconds);
  return sum;
}

// The fastest variant of one group of sizes.
Tuning turn(const Knob& knob, const TuneArguments& a, const Tuning& start) {
  Tuning best = start;
  double best_seconds = 0;
  {
    OpenClBackend backend(a.device, start);
    best_seconds = measure(knob, backend, a.seconds);
    fmt::print("{:<7} {:>9.3f} ms  as it is\n", knob.name, 1e3 * best_seconds);
  }
  for (const Tuning& variant : knob.variants(start)) {
    const std::string changed = opencl::difference(start, variant);
    if (changed.empty() || !opencl::check_tuning(variant).empty()) continue;
    std::string verdict;
    double seconds = 0;
    try {
      OpenClBackend backend(a.device, variant);
      seconds = measure(knob, backend, a.seconds);
      if (seconds * margin < best_seconds) {
        const std::string wrong = disagreement(backend);
        verdict = wrong.empty() ? green("better", stdout) : red("wrong: ", stdout) + wrong;
        if (wrong.empty()) {
          best = variant;
          best_seconds = seconds;
        }
      }
    } catch (const Error& error) {  // too much local memory, a compiler that fails ...
      const std::string text = error.what();
      verdict = "not possible: " + text.substr(0, text.find('\n'));
    }
    fmt::print("{:<7} {:>9.3f} ms  {}  {}\n", "", 1e3 * seconds, changed, verdict);
    std::fflush(stdout);
  }
  return best;
}

void check_names(const std::vector<std::string>& only, const std::vector<Knob>& all) {
  std::vector<std::string> names;
  for (const Knob& knob : all) names.emplace_back(knob.name);
  for (const std::string& name : only)
    if (std::find(names.begin(), names.end(), name) == names.end())
      throw ValueError(
          fmt::format("tune: --only: there are no sizes '{}'{}", name, known_names(name, names)));
}

void tune(const CLI::App& command, const TuneArguments& a) {
  if (!a.device.starts_with("opencl"))
    throw usage_error(command, fmt::format("it measures an OpenCL device, as opencl:0, not {}; "
                                           "other devices have no such sizes",
                                           a.device));
  if (!environment::value("LIMULUS_CL_TUNING").empty() && !a.dry_run)
    throw ValueError(
        "tune: LIMULUS_CL_TUNING forces other sizes than the device's own: unset it, or use "
        "--dry-run");
  if (const std::string why = opencl::cache_trouble(); !a.dry_run && !why.empty())
    throw FileError("tune: the results could not be kept, as the cache is not used: " + why +
                    "; --dry-run only measures");
  OpenClBackend backend(a.device);
  check_names(a.only, knobs(backend.tuning().processor));
  fmt::print("{}: {}\n\n", a.device, printable(backend.description()));
  const Tuning before = backend.tuning();
  Tuning best = before;
  for (const Knob& knob : knobs(before.processor))
    if (a.only.empty() || std::find(a.only.begin(), a.only.end(), knob.name) != a.only.end())
      best = turn(knob, a, best);
  const std::string changed = opencl::difference(before, best);
  if (changed.empty())
    fmt::print("\nNothing is faster by {:.0f} % than what is in use.\n", 100 * (margin - 1));
  else
    fmt::print("\nFaster: {}\n", changed);
  if (!a.dry_run) fmt::print("Kept in {}\n", backend.store_tuning(best));
}

}  // namespace

void add_tune(CLI::App& app) {
  auto a = std::make_shared<TuneArguments>();
  CLI::App* c = app.add_subcommand(
      "tune", "Measure which sizes are fastest on an OpenCL device, and keep them");
  c->footer(
      "Example: limulus tune --device opencl:0\n"
      "Takes some minutes, most of them to build kernels; the machine should do nothing else.");
  c->add_option("--device", a->device, "limulus devices lists them")->capture_default_str();
  c->add_option("--seconds", a->seconds, "How long each variant is measured")
      ->check(between(0.001, 60.0))
      ->capture_default_str();
  c->add_option("--only", a->only, "Vary only these: tile, block, run ...")->delimiter(',');
  c->add_flag("--dry-run", a->dry_run, "Measure, but keep nothing");
  c->callback([a, c] { tune(*c, *a); });
}

}  // namespace limulus::tools
#endif

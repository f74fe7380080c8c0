// limulus compare: the results and gradients of a device, element by element beside textbook loops.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "backends/registry.h"
#include "core/error.h"
#include "core/printable.h"
#include "core/trace.h"
#include "formats/atomic_file.h"
#include "gradcheck/cases/op_cases_compare.h"
#include "gradcheck/map.h"
#include "tools/cases.h"
#include "tools/commands.h"
#include "tools/plugin.h"
#include "tools/terminal.h"
#include "tools/usage.h"

namespace limulus::tools {
namespace {

struct CompareArguments {
  std::string device = "cpu", dtype = "both", json;
  CaseChoice cases;
  bool all = false, json_wanted = false;

  bool json_on_stdout() const { return json_wanted && json.empty(); }
};

// A row in one precision.
struct Compared {
  std::string name, dtype;
  CaseDifference difference;
  std::string error;  // what the device threw

  bool same() const { return error.empty() && difference.same(); }
};

// Collects the primitives that the device does not have and the reference computed in its place:
// they are the same by themselves.
class Fallbacks {
 public:
  explicit Fallbacks(std::set<std::string>& names) {
    set_trace_sink([&names](const TraceEvent& e) {
      if (e.fallback) names.insert(e.primitive);
    });
  }
  ~Fallbacks() { set_trace_sink({}); }
  Fallbacks(const Fallbacks&) = delete;
  Fallbacks& operator=(const Fallbacks&) = delete;
};

std::vector<DType> chosen_dtypes(const CompareArguments& a, const Backend& backend) {
  if (a.dtype == "f32") return {DType::f32};
  if (backend.has_double()) {
    if (a.dtype == "f64") return {DType::f64};
    return {DType::f32, DType::f64};
  }
  if (a.dtype == "f64")
    throw DeviceError(fmt::format("compare: {} has no double precision (fp64)", backend.name()));
  return {DType::f32};
}

std::string describe(const TensorDifference& t) {
  if (t.wrong == 0)
    return fmt::format("  {} {}: the same; largest error {:.2g} of the tolerance\n", t.name,
                       t.shape.str(), t.worst);
  std::string out =
      fmt::format("  {} {}: {} of {} differ", t.name, t.shape.str(), t.wrong, t.shape.numel());
  if (std::isfinite(t.worst)) out += fmt::format(", the most by {:.3g} x the tolerance", t.worst);
  out += fmt::format(". First at {}: {:.9g}, expected {:.9g} +- {:.1g}\n", Shape(t.first).str(),
                     t.got, t.expected, t.bound);
  for (const GradcheckMap& map : t.maps) out += map_text(map);
  return out;
}

std::string describe(const Compared& c) {
  std::string out = fmt::format("{} in {}\n", bold(c.name, stdout), c.dtype);
  if (!c.error.empty()) return out + fmt::format("  failed: {}\n", message_text(c.error));
  for (const TensorDifference& t : c.difference.tensors) out += describe(t);
  return out;
}

nlohmann::ordered_json json_of(const Compared& c) {
  nlohmann::ordered_json tensors = nlohmann::ordered_json::array();
  for (const TensorDifference& t : c.difference.tensors) {
    tensors.push_back(
        {{"name", t.name}, {"shape", t.shape.sizes()}, {"wrong", t.wrong}, {"worst", t.worst}});
    if (t.wrong > 0)
      tensors.back().update(
          {{"first", t.first}, {"got", t.got}, {"expected", t.expected}, {"tolerance", t.bound}});
  }
  nlohmann::ordered_json json = {
      {"case", c.name}, {"dtype", c.dtype}, {"same", c.same()}, {"tensors", tensors}};
  if (!c.error.empty()) json["error"] = c.error;
  return json;
}

Compared compare(const OpCase& c, DType dtype, Backend& backend, const CaseResult& exact) {
  Compared result{c.name, name_of(dtype), {}, {}};
  try {
    result.difference = compare_case(c, dtype, backend, exact);
  } catch (const std::exception& e) {  // of a kernel that somebody is writing: the rows go on
    result.error = e.what();
  } catch (...) {
    result.error = "an exception was thrown that is not a std::exception and has no text";
  }
  return result;
}

void check_options(const CLI::App& command, const CompareArguments& a) {
  const bool random = a.cases.random > 0;
  std::vector<std::string> options = {"--device", "--plugin", "--dtype", "--json"};
  options.insert(options.begin(), random ? "--random" : "--layer");
  options.emplace_back(random ? "--seed" : "--large");
  if (!a.json_on_stdout()) options.emplace_back("--all");  // JSON has all of them
  allow_only(command,
             fmt::format("a comparison of {}{}", random ? "random cases" : "the table of cases",
                         a.json_on_stdout() ? " as JSON" : ""),
             options);
}

void run_compare(const CLI::App& command, const CompareArguments& a) {
  check_options(command, a);
  const std::vector<OpCase> cases = choose_cases("compare", a.cases);
  Backend &backend = device(a.device), &reference = device("reference");
  const std::vector<DType> dtypes = chosen_dtypes(a, backend);
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  std::set<std::string> fallbacks;
  std::size_t good = 0, all = 0;
  double worst = 0;
  StatusLine line;
  for (const OpCase& c : cases) {
    line.draw(fmt::format("{} on {}", c.name, a.device));
    const CaseResult exact = run_case(c, DType::f64, reference);
    const Fallbacks listen(fallbacks);
    for (const DType dtype : dtypes) {
      const Compared result = compare(c, dtype, backend, exact);
      ++all;
      if (result.same()) {
        ++good;
        worst = std::max(worst, result.difference.worst());
      }
      line.clear();
      if (!a.json_on_stdout() && (a.all || !result.same())) fmt::print("{}\n", describe(result));
      if (a.json_wanted) json.push_back(json_of(result));
    }
  }
  line.clear();
  if (a.json_on_stdout()) {
    fmt::print("{}\n", json_text(json));
  } else {
    if (a.json_wanted) write_file_atomically(a.json, json_text(json) + "\n");
    fmt::print("{} of {} are the same on {} ({}); largest error {:.2g} of the tolerance\n", good,
               all, a.device, printable(backend.description()), worst);
    if (!fallbacks.empty())
      fmt::print("{} has no kernel for {}: the reference ran\n", a.device,
                 fmt::join(fallbacks, ", "));
  }
  if (good != all) set_exit_status(1);
}

}  // namespace

void add_compare(CLI::App& app) {
  auto a = std::make_shared<CompareArguments>();
  CLI::App* c =
      app.add_subcommand("compare", "Compare a device's results and gradients with textbook loops");
  c->footer(
      "Example: limulus compare --layer max_pool2d --plugin mine.so\n"
      "         limulus compare --device opencl:0 --dtype f32\n"
      "A result may differ by 64 roundings of its tensor's typical size: that is the tolerance. It "
      "ends\n"
      "with 1 where one differs by more.");
  c->add_option("--layer", a->cases.layer, "Only this one: conv2d, lrn, max_pool2d ...");
  c->add_option("--device,--backend", a->device, "limulus devices lists them")
      ->capture_default_str();
  add_plugin_option(*c, a->device);
  c->add_option("--dtype", a->dtype, "f32, f64 or both")
      ->check(one_of({"f32", "f64", "both"}))
      ->capture_default_str();
  c->add_flag("--large", a->cases.large, "Also the table's large cases, which take a minute");
  c->add_option("--random", a->cases.random,
                "This many random configurations instead of the table of cases")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1000000}));
  c->add_option("--seed", a->cases.seed, "Seed of --random")->capture_default_str();
  c->add_flag("--all", a->all, "Show the cases that are the same, too");
  CLI::Option* json =
      c->add_option("--json", a->json, "As JSON, to this file or, without one, to stdout")
          ->expected(0, 1);
  c->callback([a, c, json] {
    a->json_wanted = json->count() > 0;
    run_compare(*c, *a);
  });
}

}  // namespace limulus::tools

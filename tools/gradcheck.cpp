// limulus gradcheck: every layer's backward against differences of its forward, in double
// precision, through the kernels of the backend.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "backends/registry.h"
#include "core/error.h"
#include "core/names.h"
#include "core/printable.h"
#include "formats/atomic_file.h"
#include "gradcheck/cases/mutations.h"
#include "gradcheck/cases/op_cases.h"
#include "gradcheck/gradcheck.h"
#include "gradcheck/page.h"
#include "tools/cases.h"
#include "tools/commands.h"
#include "tools/gradcheck_export.h"
#include "tools/plugin.h"
#include "tools/terminal.h"
#include "tools/usage.h"

namespace limulus::tools {
namespace {

struct GradcheckArguments {
  std::string layer, backend = "cpu", html, json, mutation, folder;
  std::uint64_t seed = 1;
  std::int64_t random = 0;
  bool list = false, all = false, mutations = false, json_wanted = false;

  bool json_on_stdout() const { return json_wanted && json.empty(); }
  bool curves() const { return json_wanted || !html.empty(); }
};

// ---- what to check ------------------------------------------------------------------------------

std::vector<std::string> chosen_backends(const std::string& name) {
  if (name != "all") return {name};
  std::vector<std::string> names;
  for (const DeviceInfo& info : list_devices(/*checked=*/true))
    if (info.refused.empty())
      names.push_back(info.name);
    else
      say_note("left out: " + info.refused);
  return names;
}

GradcheckReport check(const OpCase& c, Backend& backend, const GradcheckArguments& a) {
  std::vector<std::pair<std::string, Tensor>> inputs;
  const std::vector<Tensor> values = make_inputs(c, DType::f64, backend);
  for (std::size_t i = 0; i < values.size(); ++i) inputs.emplace_back(c.inputs[i].name, values[i]);
  GradcheckOptions options;
  options.seed = a.seed;
  options.curves = a.curves();
  return gradcheck(c.f, inputs, options);
}

// ---- what comes out -----------------------------------------------------------------------------

void write_results(const GradcheckArguments& a, const CheckedRun& run) {
  if (!a.html.empty()) write_gradcheck_page(a.html, run);
  if (!a.json_wanted) return;
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const CheckedCase& c : run.cases)
    all.push_back({{"case", c.name},
                   {"backend", c.backend},
                   {"report", nlohmann::ordered_json::parse(c.report.json())}});
  if (a.json_on_stdout())
    fmt::print("{}\n", json_text(all));
  else
    write_file_atomically(a.json, json_text(all) + "\n");
}

bool run_backend(const GradcheckArguments& a, const std::vector<OpCase>& cases,
                 const std::string& name, CheckedRun& run) {
  Backend& backend = device(name);
  if (run.machine.empty()) run.machine = backend.description();
  std::size_t good = 0;
  StatusLine line;
  for (const OpCase& c : cases) {
    line.draw(fmt::format("{} on {}", c.name, name));
    GradcheckReport report = check(c, backend, a);
    good += report.ok() ? 1 : 0;
    line.clear();
    if (!a.json_on_stdout() && (!a.layer.empty() || a.all || !report.ok()))
      fmt::print("{}\n{}\n", bold(c.name, stdout), report.text());
    std::fflush(stdout);  // who interrupts it has what was found
    if (a.curves()) run.cases.push_back({c.name, c.op, name, std::move(report)});
  }
  if (!a.json_on_stdout())
    fmt::print("{} of {} cases have the right gradient on {} ({})\n", good, cases.size(), name,
               printable(backend.description()));
  return good == cases.size();
}

void run_mutation(const GradcheckArguments& a) {
  std::vector<std::string> names;
  for (const Mutation& m : mutations()) {
    names.push_back(m.name);
    if (m.name != a.mutation) continue;
    const GradcheckReport report = check_mutation(m, a.curves());
    if (!a.json_on_stdout()) fmt::print("{}: {}\n{}", bold(m.name, stdout), m.what, report.text());
    write_results(a, {m.name,
                      "the reference, with a mistake",
                      0,
                      {{m.name + ": " + m.what, m.layer.op, "mutant", report}}});
    return;
  }
  throw ValueError(fmt::format("gradcheck: there is no mistake '{}' in the bank{}", a.mutation,
                               known_names(a.mutation, names)));
}

// The command has several uses; an option of another one would be ignored.
void check_options(const CLI::App& command, const GradcheckArguments& a) {
  if (a.mutations) return allow_only(command, "the table of mistakes", {"--mutations"});
  if (!a.mutation.empty())
    return allow_only(command, "one mistake", {"--mutation", "--html", "--json"});
  if (!a.folder.empty())
    return allow_only(command, "--export",
                      {"--export", "--random", "--seed", "--backend", "--plugin"});
  std::vector<std::string> options = {a.random > 0 ? "--random" : "--layer"};
  if (a.list) {
    options.emplace_back("--list");
    if (a.random > 0) options.emplace_back("--seed");
    return allow_only(command, "a list of cases", options);
  }
  options.insert(options.end(), {"--backend", "--plugin", "--seed", "--html", "--json"});
  if (!a.json_on_stdout()) options.emplace_back("--all");  // JSON has all of them
  allow_only(command,
             fmt::format("a check of {}{}", a.random > 0 ? "random cases" : "the table of cases",
                         a.json_on_stdout() ? " as JSON" : ""),
             options);
}

void run_gradcheck(const CLI::App& command, const GradcheckArguments& a) {
  check_options(command, a);
  if (a.mutations) return fmt::print("{}", mutation_table());
  if (!a.mutation.empty()) return run_mutation(a);
  if (!a.folder.empty()) {
    const std::int64_t count = a.random > 0 ? a.random : 300;
    export_gradients(a.folder, count, a.seed, device(a.backend));
    return fmt::print("{} configurations are in {}\n", count, printable(a.folder));
  }
  const std::vector<OpCase> cases =
      choose_cases("gradcheck", {.layer = a.layer, .random = a.random, .seed = a.seed});
  if (a.list) {
    for (const OpCase& c : cases) fmt::print("{}\n", c.name);
    return;
  }
  const auto begin = std::chrono::steady_clock::now();
  CheckedRun run{.title = a.layer.empty() ? "Gradients of all layers" : "Gradients of " + a.layer};
  bool good = true;
  for (const std::string& name : chosen_backends(a.backend))
    good = run_backend(a, cases, name, run) && good;
  run.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (!a.json_on_stdout()) fmt::print("all of it took {:.1f} s\n", run.seconds);
  write_results(a, run);
  if (!good) set_exit_status(1);
}

}  // namespace

void add_gradcheck(CLI::App& app) {
  auto a = std::make_shared<GradcheckArguments>();
  CLI::App* c = app.add_subcommand("gradcheck", "Check the gradients of layers and operations");
  c->footer(
      "Example: limulus gradcheck --layer conv2d --backend cpu\n"
      "         limulus gradcheck            (all of them; only wrong ones are shown)\n"
      "         limulus gradcheck --backend all --html gradients.html\n"
      "         limulus gradcheck --plugin mine.so   (through kernels of your own: "
      "docs/kernel.md)\n"
      "         limulus gradcheck --mutation conv2d-w-flipped   (what a mistake looks like)");
  c->add_option("--layer", a->layer, "Only this one: conv2d, lrn, max_pool2d ...");
  c->add_option("--backend,--device", a->backend, "limulus devices lists them; all: each of them")
      ->capture_default_str();
  add_plugin_option(*c, a->backend);
  c->add_option("--seed", a->seed,
                "Seed of the cotangent, of the choice of entries, and of --random")
      ->capture_default_str();
  c->add_option("--random", a->random,
                "This many random configurations instead of the table of cases")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1000000}));
  c->add_flag("--all", a->all, "Show the tables of right gradients too");
  c->add_flag("--list", a->list, "List the cases");
  c->add_option("--html", a->html, "Write a page with pictures to this file");
  CLI::Option* json =
      c->add_option("--json", a->json, "As JSON, to this file or, without one, to stdout")
          ->expected(0, 1);
  c->add_flag("--mutations", a->mutations, "Check the checker: a table of wrong gradients");
  c->add_option("--mutation", a->mutation, "One of them, in detail");
  c->add_option("--export", a->folder,
                "Write random configurations with their gradients into this folder");
  c->callback([a, c, json] {
    a->json_wanted = json->count() > 0;
    run_gradcheck(*c, *a);
  });
}

}  // namespace limulus::tools

// limulus gradcheck: every layer's backward against differences of its forward, in double
// precision, through the kernels of the backend.
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "backends/registry.h"
#include "core/error.h"
#include "core/gradcheck.h"
#include "tests/op_cases.h"
#include "tools/commands.h"
#include "tools/terminal.h"

namespace limulus::tools {
namespace {

struct GradcheckArguments {
  std::string layer, backend = "cpu";
  std::uint64_t seed = 1;
  bool list = false, json = false, all = false;
};

std::vector<const OpCase*> chosen_cases(const std::string& layer) {
  std::vector<const OpCase*> chosen;
  std::set<std::string> names;
  for (const OpCase& c : op_cases()) {
    if (c.large) continue;
    names.insert(c.op);
    if (layer.empty() || c.op == layer) chosen.push_back(&c);
  }
  if (chosen.empty())
    throw ValueError(fmt::format("gradcheck: there is no layer or operation '{}'; there are {}",
                                 layer, fmt::join(names, ", ")));
  return chosen;
}

GradcheckReport check(const OpCase& c, Backend& backend, std::uint64_t seed) {
  std::vector<std::pair<std::string, Tensor>> inputs;
  const std::vector<Tensor> values = make_inputs(c, DType::f64, backend);
  for (std::size_t i = 0; i < values.size(); ++i) inputs.emplace_back(c.inputs[i].name, values[i]);
  GradcheckOptions options;
  options.seed = seed;
  return gradcheck(c.f, inputs, options);
}

void run_gradcheck(const GradcheckArguments& a) {
  const std::vector<const OpCase*> cases = chosen_cases(a.layer);
  if (a.list) {
    for (const OpCase* c : cases) fmt::print("{}\n", c->name);
    return;
  }
  Backend& backend = device(a.backend);
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  std::size_t good = 0;
  StatusLine line;
  for (const OpCase* c : cases) {
    line.draw(c->name);
    const GradcheckReport report = check(*c, backend, a.seed);
    good += report.ok() ? 1 : 0;
    line.clear();
    if (a.json) {
      auto entry = nlohmann::ordered_json::parse(report.json());
      all.push_back({{"case", c->name}, {"backend", a.backend}, {"report", std::move(entry)}});
    } else if (!a.layer.empty() || a.all || !report.ok()) {
      fmt::print("{}\n{}\n", bold(c->name), report.text());
    }
  }
  if (a.json)
    fmt::print("{}\n", all.dump(2));
  else
    fmt::print("{} of {} cases have the right gradient on {} ({})\n", good, cases.size(), a.backend,
               backend.description());
  if (good != cases.size()) set_exit_status(1);
}

}  // namespace

void add_gradcheck(CLI::App& app) {
  auto a = std::make_shared<GradcheckArguments>();
  CLI::App* c = app.add_subcommand("gradcheck", "Check the gradients of layers and operations");
  c->footer(
      "Example: limulus gradcheck --layer conv2d --backend cpu\n"
      "         limulus gradcheck            (all of them; only wrong ones are shown)");
  c->add_option("--layer", a->layer, "Only this one: conv2d, lrn_across, max_pool2d ...");
  c->add_option("--backend,--device", a->backend, "limulus devices lists them")
      ->capture_default_str();
  c->add_option("--seed", a->seed, "Of the cotangent and of the entries that are compared")
      ->capture_default_str();
  c->add_flag("--all", a->all, "Show the tables of right gradients too");
  c->add_flag("--list", a->list, "List the cases");
  c->add_flag("--json", a->json, "As JSON");
  c->callback([a] { run_gradcheck(*a); });
}

}  // namespace limulus::tools

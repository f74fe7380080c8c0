// limulus explain: a network's output sizes, shapes, parameters and multiply-adds, as arithmetic.
#include <fmt/core.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "backends/registry.h"
#include "core/error.h"
#include "layers/walk.h"
#include "models/models.h"
#include "tools/commands.h"

namespace limulus::tools {
namespace {

struct ExplainArguments {
  std::string model = "alexnet", layer;
  std::int64_t classes = 0, batch = 1, size = 0;
  bool list = false, json = false, markdown = false;
};

void print_list(bool as_json) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const ModelSpec& m : list_models()) {
    if (as_json)
      all.push_back({{"name", m.name},
                     {"summary", m.summary},
                     {"input", m.input.sizes()},
                     {"classes", m.classes},
                     {"parameters", m.parameters}});
    else
      fmt::print("{:<21} {:<13} {:>4} classes {:>11} parameters  {}\n", m.name, m.input.str(),
                 m.classes, with_thousands(m.parameters), m.summary);
  }
  if (as_json) fmt::print("{}\n", all.dump(2));
}

std::vector<WalkStep> only(const std::vector<WalkStep>& steps, const std::string& layer) {
  std::vector<WalkStep> chosen;
  std::string names;
  for (const WalkStep& step : steps) {
    if (step.name == layer) chosen.push_back(step);
    names += (names.empty() ? "" : ", ") + step.name;
  }
  if (chosen.empty())
    throw ValueError(
        fmt::format("explain: this network has no layer '{}'; its layers are {}", layer, names));
  return chosen;
}

void explain(const ExplainArguments& a) {
  if (a.list) return print_list(a.json);
  const ModelSpec& spec = model_spec(a.model);
  const std::int64_t side = a.size > 0 ? a.size : spec.input[-1];
  const auto model = make_model(a.model, a.classes, device("reference"));
  std::vector<WalkStep> steps = model->walk({a.batch, spec.input[0], side, side});
  if (!a.layer.empty()) steps = only(steps, a.layer);
  fmt::print("{}\n", a.json       ? walk_json(steps)
                     : a.markdown ? walk_markdown(steps)
                                  : walk_text(steps));
}

}  // namespace

void add_explain(CLI::App& app) {
  auto a = std::make_shared<ExplainArguments>();
  CLI::App* c = app.add_subcommand("explain", "Walk through a network's sizes, layer by layer");
  c->footer("Example: limulus explain alexnet\n         limulus explain lenet5 --json");
  c->add_option("model", a->model, "Network")->capture_default_str();
  c->add_flag("--list", a->list, "List the networks");
  c->add_option("--layer", a->layer, "Only this layer: conv2");
  c->add_option("--classes", a->classes, "Number of classes (default: the network's own)")
      ->check(CLI::Range(1, 1000000));
  c->add_option("--batch", a->batch, "Images at a time, for the memory")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  c->add_option("--size", a->size, "Height and width of the input (default: the network's own)")
      ->check(CLI::Range(1, 65536));
  c->add_flag("--json", a->json, "As JSON");
  c->add_flag("--markdown", a->markdown, "As a Markdown table")->excludes("--json");
  c->callback([a] { explain(*a); });
}

}  // namespace limulus::tools

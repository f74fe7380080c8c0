// limulus explain: a network's output sizes, shapes, parameters and multiply-adds, as arithmetic;
// the same of one convolution or pool of any size; and one element of a layer, number by number.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "backends/registry.h"
#include "core/error.h"
#include "core/names.h"
#include "layers/avg_pool2d.h"
#include "layers/conv2d.h"
#include "layers/max_pool2d.h"
#include "layers/module.h"
#include "layers/walk.h"
#include "models/alexnet_towers.h"
#include "models/models.h"
#include "tools/commands.h"
#include "tools/explain_element.h"
#include "tools/terminal.h"
#include "tools/usage.h"
#include "training/trained_model.h"

namespace limulus::tools {
namespace {

struct ExplainArguments {
  std::string model = "alexnet", layer;
  std::int64_t classes = 0, batch = 1, size = 0;
  bool list = false, json = false, markdown = false;
  // Of a single convolution or pool:
  std::string input = "3x227x227";
  std::int64_t kernel = 3, stride = 1, padding = 0, dilation = 1, groups = 1;
  std::optional<std::int64_t> channels;
  bool ceil = false, without_bias = false;
  ElementArguments element;
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
  std::vector<std::string> names;
  for (const WalkStep& step : steps) {
    if (step.name == layer) chosen.push_back(step);
    names.push_back(step.name);
  }
  if (chosen.empty())
    throw ValueError(
        fmt::format("explain: this network has no layer '{}'{}", layer, known_names(layer, names)));
  return chosen;
}

// "3x227x227" -> [1, 3, 227, 227]; a single number is height and width.
Shape input_from(const std::string& text, std::int64_t batch) {
  std::vector<std::int64_t> sizes = {batch};
  const char *p = text.data(), *end = p + text.size();
  for (;; ++p) {
    std::int64_t value = 0;
    const auto [after, error] = std::from_chars(p, end, value);
    if (error == std::errc{} && value >= 0) sizes.push_back(value);
    p = after;
    if (error != std::errc{} || value < 0 || p == end || *p != 'x' || sizes.size() > 3) break;
  }
  if (p != end || sizes.size() != 4)
    throw ValueError(fmt::format(
        "explain: --input is '{}'; it takes channels x height x width such as 3x227x227", text));
  return Shape(sizes);
}

bool is_single(const std::string& name) {
  return name == "conv2d" || name == "max_pool2d" || name == "avg_pool2d";
}

WalkStep single_step(const ExplainArguments& a) {
  const Shape in = input_from(a.input, a.batch);
  if (a.model == "conv2d") {
    const Conv2dOptions options = {.stride = a.stride,
                                   .pad = a.padding,
                                   .dilation = a.dilation,
                                   .groups = a.groups,
                                   .bias = !a.without_bias};
    const std::int64_t channels = a.channels.value_or(in[1]);
    // The channels that a kernel sees; conv2d_step refuses groups that do not divide them.
    const std::int64_t seen = a.groups > 0 ? in[1] / a.groups : in[1];
    return conv2d_step(in, {channels, seen, a.kernel, a.kernel}, options);
  }
  const Pool2dOptions options = {
      .kernel = a.kernel, .stride = Size2d(a.stride), .pad = a.padding, .ceil = a.ceil};
  return a.model == "max_pool2d" ? MaxPool2d(options).walk(in)[0] : AvgPool2d(options).walk(in)[0];
}

// ---- the command has four uses, and each its own options ----------------------------------------

void explain_single(const CLI::App& command, const ExplainArguments& a) {
  std::vector<std::string> options = {"model",     "--model", "--input", "--kernel",  "--stride",
                                      "--padding", "--batch", "--json",  "--markdown"};
  if (a.model == "conv2d")
    options.insert(options.end(), {"--channels", "--dilation", "--groups", "--no-bias"});
  else
    options.emplace_back("--ceil");
  allow_only(command, a.model, options);
  WalkStep step = single_step(a);
  step.name = a.model;
  fmt::print("{}\n", a.json       ? walk_json({step})
                     : a.markdown ? walk_markdown({step})
                                  : walk_text({step}));
}

void explain_walk(const CLI::App& command, const ExplainArguments& a) {
  std::vector<std::string> options = {"model",        "--model", "--layer",   "--batch",
                                      "--checkpoint", "--json",  "--markdown"};
  const bool trained = !a.element.checkpoint.empty();  // which knows its classes and its input
  if (!trained) options.insert(options.end(), {"--size", "--classes"});
  allow_only(command, fmt::format("a walk through a {}network", trained ? "checkpoint's " : ""),
             options);
  std::shared_ptr<Module> model;
  Shape in;
  std::vector<std::string> notes;
  if (!trained) {
    const UnfilledParameters only_its_sizes;  // fc8 of a million classes has 16 GB of weights
    OpenedModel opened = open_model(a.model, a.classes, device("reference"));
    model = opened.model;
    const Shape& input = opened.spec.input;
    const std::int64_t side = a.size > 0 ? a.size : input[-1];
    in = {a.batch, input[0], side, side};
    notes = std::move(opened.notes);
  } else {
    TrainedModel network = load_trained(a.element.checkpoint, "reference", Needs::convolutions);
    const Augment& input = network.config.augment;
    model = network.model;
    in = {a.batch, input.channels, input.crop, input.crop};
  }
  std::vector<WalkStep> steps = model->walk(in);
  if (!a.layer.empty()) steps = only(steps, a.layer);
  fmt::print("{}\n", a.json       ? walk_json(steps)
                     : a.markdown ? walk_markdown(steps)
                                  : walk_text(steps));
  for (const std::string& note : notes) say_note(note);
  const auto* towers = dynamic_cast<const AlexNetTowers*>(model.get());
  if (towers != nullptr && a.layer.empty() && !a.json && !a.markdown)
    fmt::print("{}\n", crossing_text(towers->crossings(in)));
}

void explain_one_element(const CLI::App& command, const ExplainArguments& a) {
  if (is_single(a.model))
    throw usage_error(command,
                      fmt::format("{} alone has no --element: it has no numbers. A layer of "
                                  "a network has: lenet5 --layer conv1 --element 0,0,0",
                                  a.model));
  if (a.layer.empty()) throw usage_error(command, "--element needs --layer: an element of which?");
  std::vector<std::string> options = {"model",  "--model",      "--layer", "--element", "--image",
                                      "--seed", "--checkpoint", "--json",  "--backward"};
  if (a.element.backward) options.insert(options.end(), {"--of", "--label"});
  if (!a.json) options.emplace_back("--terms");  // JSON has all of them
  if (a.element.checkpoint.empty()) options.insert(options.end(), {"--size", "--classes"});
  allow_only(command,
             fmt::format("an element{}{}{}", a.element.backward ? " of a gradient" : "",
                         a.element.checkpoint.empty() ? "" : " of a checkpoint's network",
                         a.json ? " as JSON" : ""),
             options);
  if (!a.element.checkpoint.empty() && !a.element.image.empty() && command.count("--seed") > 0)
    throw usage_error(command,
                      "--seed draws weights or the input, and both are given by --checkpoint and "
                      "--image: it would be ignored");
  ElementArguments e = a.element;
  e.model = a.model;
  e.layer = a.layer;
  e.size = a.size;
  e.classes = a.classes;
  e.json = a.json;
  explain_element(e);
}

// What a checkpoint is of shows in it; a network that is named beside it has to be that one.
void check_model_of_checkpoint(const CLI::App& command, const ExplainArguments& a) {
  if (a.element.checkpoint.empty() || command.count("model") + command.count("--model") == 0)
    return;
  const std::string model = load_config(a.element.checkpoint).model;
  if (model != name_of_model(a.model))
    throw usage_error(command,
                      fmt::format("{} is a checkpoint of {}, not of {}; without a name the "
                                  "checkpoint's network is explained",
                                  a.element.checkpoint, model, a.model));
}

void explain(const CLI::App& command, const ExplainArguments& a) {
  if (a.list) {
    allow_only(command, "--list", {"--list", "--json"});
    return print_list(a.json);
  }
  if (is_single(a.model) && a.element.element.empty()) return explain_single(command, a);
  for (const char* option : {"--backward", "--of", "--label", "--image", "--seed", "--terms"})
    if (command.count(option) > 0 && a.element.element.empty())
      throw usage_error(command, fmt::format("{} needs --element, as 5,10,10", option));
  if (!is_single(a.model)) check_model_of_checkpoint(command, a);
  if (a.element.element.empty()) return explain_walk(command, a);
  explain_one_element(command, a);
}

constexpr std::int64_t most = 65536;

void add_single_options(CLI::App& c, ExplainArguments& a) {
  const char* group = "One convolution or pool";
  const auto number = [&](const char* name, std::int64_t& value, const char* help) {
    c.add_option(name, value, help)
        ->check(CLI::Range(std::int64_t{0}, most))
        ->capture_default_str()
        ->group(group);
  };
  c.add_option("--input", a.input, "Channels x height x width")
      ->capture_default_str()
      ->group(group);
  number("--kernel", a.kernel, "Height and width of the window");
  number("--stride", a.stride, "How far the window moves in one step");
  number("--padding", a.padding, "Zeros at each end");
  number("--dilation", a.dilation, "Distance between neighbouring taps of the window");
  number("--groups", a.groups, "Blocks of channels that do not see each other");
  c.add_option("--channels", a.channels,
               "Channels of the output (default: as many as the input has)")
      ->check(CLI::Range(std::int64_t{0}, most))
      ->group(group);
  c.add_flag("--ceil", a.ceil, "Round up: a last window may hang over the end (pools)")
      ->group(group);
  c.add_flag("--no-bias", a.without_bias, "Without a bias")->group(group);
}

void add_element_options(CLI::App& c, ElementArguments& e) {
  const char* group = "One element, number by number";
  c.add_option("--element", e.element, "Which one: channel,row,column, or a class")->group(group);
  c.add_flag("--backward", e.backward,
             "An element of the gradient instead, of the loss with --label")
      ->group(group);
  c.add_option("--of", e.of, "The gradient of the layer's input, weight or bias")
      ->check(one_of({"input", "weight", "bias"}))
      ->capture_default_str()
      ->group(group);
  c.add_option("--label", e.label, "The right class")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->group(group);
  c.add_option("--image", e.image, "JPEG or PNG (default: random numbers)")->group(group);
  c.add_option("--checkpoint", e.checkpoint,
               "Weights (default: random, from --seed). Without "
               "--element: the sizes of its network")
      ->group(group);
  c.add_option("--seed", e.seed, "Seed of the random weights and the random input")
      ->capture_default_str()
      ->group(group);
  c.add_option("--terms", e.terms, "How many terms to show")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1000000}))
      ->capture_default_str()
      ->group(group);
}

}  // namespace

void add_explain(CLI::App& app) {
  auto a = std::make_shared<ExplainArguments>();
  CLI::App* c = app.add_subcommand("explain", "Walk through a network's sizes, layer by layer");
  c->footer(
      "Example: limulus explain alexnet\n"
      "         limulus explain lenet5 --json\n"
      "         limulus explain conv2d --input 3x224x224 --kernel 11 --stride 4 --padding 2\n"
      "         limulus explain alexnet --layer conv2 --element 5,10,10 --backward");
  CLI::Option* model =
      c->add_option("model", a->model,
                    "Network, or an .onnx file with one; or conv2d, max_pool2d, avg_pool2d")
          ->capture_default_str();
  c->add_option("--model", a->model, "The same, as other commands have it")->excludes(model);
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
  add_single_options(*c, *a);
  add_element_options(*c, a->element);
  c->callback([a, c] { explain(*c, *a); });
}

}  // namespace limulus::tools

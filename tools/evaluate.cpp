// limulus evaluate: a checkpoint on held-out pictures, by one crop or the paper's ten.
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "backends/registry.h"
#include "core/denormals.h"
#include "core/error.h"
#include "core/printable.h"
#include "layers/linear.h"
#include "tools/commands.h"
#include "tools/terminal.h"
#include "training/trainer.h"

namespace limulus::tools {
namespace {

struct EvaluateArguments {
  std::string checkpoint, data, device = "cpu";
  DType weights = DType::f32;
  int threads = 0, workers = 1, worst = 0;
  bool json = false, one_crop = false, strict = false, flush_denormals = false;
};

nlohmann::ordered_json as_json(const Evaluation& e) {
  return {{"images", e.metrics.count()},
          {"top1", e.metrics.top1()},
          {"top5", e.metrics.top5()},
          {"loss", e.loss}};
}

void print_confusion(const Metrics& m, const std::vector<std::string>& names) {
  std::vector<std::string> classes;
  for (const std::string& name : names) classes.push_back(printable(name));
  std::size_t width = 8;
  for (const std::string& name : classes) width = std::max(width, name.size());
  fmt::print("\nRows are the truth, columns the guess:\n{:>{}}", "", width + 2);
  for (const std::string& name : classes)
    fmt::print(" {:>{}}", name, std::max<std::size_t>(5, name.size()));
  fmt::print("\n");
  for (std::int64_t t = 0; t < m.classes(); ++t) {
    fmt::print("  {:>{}}", classes[static_cast<std::size_t>(t)], width);
    for (std::int64_t g = 0; g < m.classes(); ++g)
      fmt::print(" {:>{}}", m.confusion(t, g),
                 std::max<std::size_t>(5, classes[static_cast<std::size_t>(g)].size()));
    fmt::print("\n");
  }
}

// What weights of 16 bits change: for how many images the guess is the same, and how far its
// probability moved where it is.
struct Agreement {
  std::size_t images = 0, same = 0;
  double largest = 0, mean = 0;

  Agreement(const std::vector<Guess>& exact, const std::vector<Guess>& rounded)
      : images(exact.size()) {
    for (std::size_t i = 0; i < images; ++i) {
      if (exact[i].guess != rounded[i].guess) continue;
      const double moved = std::abs(double{exact[i].probability} - rounded[i].probability);
      largest = std::max(largest, moved);
      mean += moved;
      ++same;
    }
    if (same > 0) mean /= static_cast<double>(same);
  }
};

void evaluate(const EvaluateArguments& a) {
  if (a.threads > 0) set_device_threads(a.threads);
  TrainedModel t = load_trained(a.checkpoint, a.device);
  t.config.strict = a.strict;
  const std::string folder = a.data.empty() ? t.config.data : a.data;
  DatasetOptions options;
  options.strict = a.strict;
  const Dataset data = open_dataset(folder, options);
  if (data.classes != t.classes)
    throw FileError(fmt::format("{}: its classes ({}) are not those of {} ({})", folder,
                                fmt::join(data.classes, ", "), a.checkpoint,
                                fmt::join(t.classes, ", ")));
  const auto classes = static_cast<std::int64_t>(t.classes.size());
  const auto images = std::make_shared<ImageCache>(data.test, t.config.prepare);
  const auto run = [&](bool ten) {
    return evaluate_set(*t.model, *devices(a.device).front(), t.config, t.normalization, images,
                        classes, ten, ten ? 0 : a.worst, a.workers);
  };
  std::optional<Evaluation> exact;
  if (a.weights != DType::f32) {
    exact = run(false);
    store_linear_weights(*t.model, a.weights);
  }
  const Evaluation one = run(false);
  const bool ten_possible = !a.one_crop && t.config.augment.crop < t.config.prepare.short_side;
  const Evaluation ten = ten_possible ? run(true) : Evaluation();

  if (a.json) {
    nlohmann::ordered_json j = {{"checkpoint", a.checkpoint}, {"data", folder}};
    j["single_crop"] = as_json(one);
    if (ten_possible) j["ten_crops"] = as_json(ten);
    if (exact) {
      const Agreement same(exact->guesses, one.guesses);
      j["single_crop_f32"] = as_json(*exact);
      j["same_guess"] = same.same;
      j["probability_moved"] = {{"mean", same.mean}, {"largest", same.largest}};
    }
    fmt::print("{}\n", json_text(j));
    return;
  }
  fmt::print("{} held-out images of {}\n", one.metrics.count(), printable(folder));
  fmt::print("  single crop  top-1 {:.1f} %  top-5 {:.1f} %  loss {:.3f}\n",
             100 * one.metrics.top1(), 100 * one.metrics.top5(), one.loss);
  if (ten_possible)
    fmt::print("  ten crops    top-1 {:.1f} %  top-5 {:.1f} %  loss {:.3f}\n",
               100 * ten.metrics.top1(), 100 * ten.metrics.top5(), ten.loss);
  if (exact) {
    const Agreement same(exact->guesses, one.guesses);
    fmt::print("  f32 weights  top-1 {:.1f} %  top-5 {:.1f} %  loss {:.3f}  (single crop)\n",
               100 * exact->metrics.top1(), 100 * exact->metrics.top5(), exact->loss);
    fmt::print(
        "  the same guess for {} of {} images, with a probability that moved by {:.2g} on "
        "average, {:.2g} at most\n",
        same.same, same.images, same.mean, same.largest);
  }
  if (classes <= 20) print_confusion(one.metrics, t.classes);
  for (const Mistake& m : one.worst)
    fmt::print("  {}: a {}, taken for a {} ({:.0f} %)\n", printable(m.name),
               printable(t.classes[static_cast<std::size_t>(m.truth)]),
               printable(t.classes[static_cast<std::size_t>(m.guess)]), 100 * m.probability);
}

}  // namespace

void add_evaluate(CLI::App& app) {
  auto a = std::make_shared<EvaluateArguments>();
  CLI::App* c = app.add_subcommand("evaluate", "Accuracy of a checkpoint on held-out pictures");
  c->footer("Example: limulus evaluate runs/alexnet/checkpoint.safetensors --data data/flowers5");
  c->add_option("checkpoint", a->checkpoint, "A checkpoint of limulus train")->required();
  c->add_option("--data", a->data, "The pictures (default: where it was trained)");
  c->add_flag("--one-crop", a->one_crop, "Without the ten crops");
  c->add_option("--worst", a->worst, "List so many of the worst mistakes")
      ->check(CLI::Range(0, 10000));
  c->add_option("--device", a->device, "limulus devices lists them")->capture_default_str();
  c->add_option("--threads", a->threads, "Threads of the cpu device")->check(CLI::Range(1, 1024));
  add_weights_option(*c, a->weights);
  c->add_option("--workers", a->workers, "Threads that decode")
      ->check(CLI::Range(0, 64))
      ->capture_default_str();
  c->add_flag("--strict", a->strict, "An unreadable picture is an error, not skipped");
  c->add_flag("--json", a->json, "As JSON");
  add_denormals_option(*c, a->flush_denormals);
  c->callback([a] {
    const FlushDenormals denormals(a->flush_denormals);
    evaluate(*a);
  });
}

}  // namespace limulus::tools

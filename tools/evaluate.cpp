// limulus evaluate: a checkpoint on held-out pictures, by one crop or the paper's ten.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "backends/registry.h"
#include "core/denormals.h"
#include "core/error.h"
#include "core/printable.h"
#include "layers/linear.h"
#include "tools/commands.h"
#include "tools/data_output.h"
#include "tools/interrupts.h"
#include "tools/plugin.h"
#include "tools/run_pictures.h"
#include "tools/terminal.h"
#include "tools/usage.h"
#include "training/data/class_names.h"
#include "training/evaluate.h"
#include "training/trained_model.h"

namespace limulus::tools {
namespace {

using Json = nlohmann::ordered_json;

struct EvaluateArguments {
  std::string checkpoint, data, device = "cpu", split = "auto";
  std::optional<std::string> layout, test_folder;
  std::optional<int> worst;
  DType weights = DType::f32;
  int threads = 0, workers = 1;
  std::size_t cache = kDefaultCache;
  bool json = false, one_crop = false, strict = false, flush_denormals = false;
};

// What is evaluated, and what to say of it.
struct Chosen {
  ImageSet images;
  std::string split;  // "held-out", "training" or "all"
  std::string text;   // "the held-out ones"
  std::vector<std::string> notes;
};

// Of a set that comes with a test part, that part. Of one in one piece: all of it; unless it is the
// set that the network was trained on, where four fifths would be known to it.
Chosen choose(const Dataset& data, const std::string& folder, const std::string& split,
              const TrainedModel& t) {
  Chosen c;
  const std::uint64_t train = fingerprint(data.train, data.classes),
                      test = fingerprint(data.test, data.classes);
  const bool same_images = t.train_print != 0 && train + test == t.train_print + t.test_print;
  const bool trained_on = same_images || same_path(folder, t.config.data);
  c.split = split;
  if (split == "auto") c.split = data.in_one_piece && !trained_on ? "all" : "held-out";
  if (c.split == "all") {
    c.images = data.train.joined(data.test);
    c.text = "all of the set";
  } else if (c.split == "training") {
    c.images = data.train;
    c.text = "the training part";
  } else {
    c.images = data.test;
    c.text = data.in_one_piece && trained_on ? "those that training held out" : "the held-out part";
  }
  if (split == "auto" && data.in_one_piece && trained_on)
    c.notes.push_back(
        fmt::format("this is the set that it was trained on; --split all takes all {}",
                    data.train.size() + data.test.size()));
  if (data.in_one_piece && trained_on && t.train_print != 0 && !same_images && c.split != "all")
    c.notes.emplace_back("the folder has changed since: some of these may have been trained on");
  const std::uint64_t print = fingerprint(c.images, data.classes);
  if (print != 0 && (print == t.train_print || print == t.train_print + t.test_print))
    c.notes.emplace_back("the network was trained on these images, and may know them by heart");
  return c;
}

std::string name_at(const std::vector<std::string>& classes, std::int64_t index) {
  return classes[static_cast<std::size_t>(index)];
}

// Who is taken for whom: an entry for each pair that occurred, for any number of classes.
Json confusion_json(const Metrics& m, const std::vector<std::string>& classes) {
  Json list = Json::array();
  for (const auto& [pair, images] : m.confusions())
    list.push_back({{"truth", name_at(classes, pair.first)},
                    {"guess", name_at(classes, pair.second)},
                    {"images", images}});
  return list;
}

Json as_json(const Evaluation& e, const std::vector<std::string>& classes) {
  Json j = numbers_json(e);
  j["confusion"] = confusion_json(e.metrics, classes);
  return j;
}

Json worst_json(const Evaluation& e, const std::vector<std::string>& classes) {
  Json list = Json::array();
  for (const Mistake& m : e.worst)
    list.push_back({{"name", m.name},
                    {"truth", name_at(classes, m.truth)},
                    {"guess", name_at(classes, m.guess)},
                    {"probability", m.probability},
                    {"loss", m.loss}});
  return list;
}

// Classes of the network of which no image was seen.
std::vector<std::string> unseen(const Metrics& m, const std::vector<std::string>& classes) {
  std::vector<bool> seen(classes.size());
  for (const auto& [pair, images] : m.confusions())
    seen[static_cast<std::size_t>(pair.first)] = true;
  std::vector<std::string> names;
  for (std::size_t c = 0; c < classes.size(); ++c)
    if (!seen[c]) names.push_back(classes[c]);
  return names;
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

  Agreement(const std::vector<Guess>& exact, const std::vector<Guess>& rounded) {
    std::map<std::int64_t, Guess> before;  // by image: a picture may have become unreadable between
    for (const Guess& g : exact) before.emplace(g.image, g);
    for (const Guess& g : rounded) {
      const auto found = before.find(g.image);
      if (found == before.end()) continue;
      ++images;
      if (found->second.guess != g.guess) continue;
      const double moved = std::abs(double{found->second.probability} - g.probability);
      largest = std::max(largest, moved);
      mean += moved;
      ++same;
    }
    if (same > 0) mean /= static_cast<double>(same);
  }
};

void print_numbers(const char* what, const Evaluation& e, const char* note = "") {
  const std::string partial =
      e.partial ? fmt::format("  (PARTIAL: stopped after the first {} of {} images)",
                              e.metrics.count(), e.images)
                : std::string();
  fmt::print("  {}  top-1 {:.1f} %  top-5 {:.1f} %  loss {:.3f}{}{}\n", what,
             100 * e.metrics.top1(), 100 * e.metrics.top5(), e.loss, note, partial);
}

void evaluate(const CLI::App& command, const EvaluateArguments& a) {
  use_threads(command, a.threads, a.device);
  TrainedModel t = load_trained(a.checkpoint, a.device);
  t.config.strict = a.strict;
  const std::string folder = a.data.empty() ? t.config.data : a.data;
  if (folder.empty())
    throw ValueError(fmt::format(
        "evaluate: which pictures? The weights in {} were imported, and no set belongs to them: "
        "--data DIR names a folder of class folders",
        a.checkpoint));
  const Dataset data = open_pictures(a.checkpoint, t, folder, {a.layout, a.test_folder, a.strict});
  const Chosen chosen = choose(data, folder, a.split, t);
  catch_interrupts();
  if (!a.json) {
    fmt::print("Data    {}: {}, {}: {} ({})\n", printable(folder), classes_text(t.classes),
               usable_text(chosen.images.size(), chosen.images.size(), "images"), chosen.text,
               printable(chosen.split == "all" ? data.layout : data.how_read()));
    for (const std::string& note : chosen.notes) fmt::print("        note: {}\n", note);
    std::fflush(stdout);
  }

  const auto classes = static_cast<std::int64_t>(t.classes.size());
  const auto images =
      std::make_shared<ImageCache>(chosen.images, t.config.prepare, a.cache, t.config.augment.crop);
  const int worst = a.worst ? *a.worst : a.json ? 20 : 0;
  StatusLine line;
  const auto run = [&](bool ten) {
    EvaluationWatch watch{.stop = &interrupted(), .keep_partial = true};
    watch.on_images = [&](std::int64_t done, std::int64_t all) {
      line.draw(fmt::format("{} {} of {} images, {}, {}",
                            bar(static_cast<double>(done) / static_cast<double>(all),
                                std::clamp(columns() - 70, 5, 40)),
                            done, all, chosen.split, ten ? "ten crops" : "one crop"));
    };
    Evaluation e = evaluate_set(*t.model, *devices(a.device).front(), t.config, t.normalization,
                                images, classes, ten, ten ? 0 : worst, a.workers, watch);
    line.clear();
    return e;
  };
  std::optional<Evaluation> exact;
  if (a.weights != DType::f32) {
    exact = run(false);
    store_linear_weights(*t.model, a.weights);
  }
  const Evaluation one = run(false);
  const std::int64_t count = one.metrics.count();
  if (one.partial && count == 0) {
    say("Stopped before the first image.");
    end_if_interrupted();
  }
  if (one.images > 0 && count == 0)
    throw FileError(fmt::format("{}: none of the {} images can be used; the first is {}", folder,
                                one.images, text_of(one.skipped.begin()->second)));
  const bool ten_possible = !a.one_crop && !one.partial && count > 0 &&
                            t.config.augment.crop < t.config.prepare.short_side;
  const Evaluation ten = ten_possible ? run(true) : Evaluation();
  std::vector<Skipped> skipped = data.skipped;
  for (const auto& [index, skip] : (ten_possible ? ten : one).skipped) {
    skipped.push_back(skip);
    if (chosen.split != "all")
      skipped.back().part = chosen.split == "training" ? "training" : "held out";
  }
  const auto without = unseen(one.metrics, t.classes);

  if (a.json) {
    Json j = {{"checkpoint", a.checkpoint}, {"data", folder}};
    j["layout"] = name_of(data.kind);
    j["read_as"] = chosen.split == "all" ? data.layout : data.how_read();
    j["split"] = chosen.split;
    j["notes"] = chosen.notes;
    j["images"] = one.images;
    j["partial"] = one.partial || ten.partial;
    j["classes"] = t.classes;
    j["classes_without_images"] = without;
    j["skipped"] = skipped_json(skipped, true);
    j["single_crop"] = as_json(one, t.classes);
    if (ten_possible) j["ten_crops"] = as_json(ten, t.classes);
    if (exact) {
      const Agreement same(exact->guesses, one.guesses);
      j["single_crop_f32"] = as_json(*exact, t.classes);
      j["same_guess"] = same.same;
      j["probability_moved"] = {{"mean", same.mean}, {"largest", same.largest}};
    }
    j["worst"] = worst_json(one, t.classes);
    fmt::print("{}\n", json_text(j));
    std::fflush(stdout);
    end_if_interrupted();
    return;
  }
  print_skipped(skipped, 20);
  if (count == 0) {
    fmt::print("{}, so there is no accuracy; --split all takes all {} images\n",
               chosen.split == "training" ? "The set has no training part" : "Nothing is held out",
               data.train.size() + data.test.size());
    return;
  }
  if (!without.empty())
    fmt::print("        no image of {} of the network's {} classes: {}\n", without.size(), classes,
               names_text(without));
  fmt::print("{} of {}\n", usable_text(count, one.images, "images"), printable(folder));
  print_numbers("single crop", one);
  if (ten_possible && ten.metrics.count() > 0)
    print_numbers("ten crops  ", ten);
  else if (ten.partial)
    fmt::print("  ten crops    (PARTIAL: stopped before the first of {} images)\n", ten.images);
  if (exact) {
    const Agreement same(exact->guesses, one.guesses);
    print_numbers("f32 weights", *exact, "  (single crop)");
    fmt::print(
        "  the same guess for {} of {} images, with a probability that moved by {:.2g} on "
        "average, {:.2g} at most\n",
        same.same, same.images, same.mean, same.largest);
  }
  if (classes <= 20) print_confusion(one.metrics, t.classes);
  for (const Mistake& m : one.worst)
    fmt::print("  {}: a {}, taken for a {} ({:.0f} %)\n", printable(m.name),
               printable(name_at(t.classes, m.truth)), printable(name_at(t.classes, m.guess)),
               100 * m.probability);
  std::fflush(stdout);
  end_if_interrupted();
}

}  // namespace

void add_evaluate(CLI::App& app) {
  auto a = std::make_shared<EvaluateArguments>();
  CLI::App* c = app.add_subcommand("evaluate", "Accuracy of a checkpoint on pictures");
  c->footer("Example: limulus evaluate runs/alexnet/checkpoint.safetensors --data data/flowers5");
  c->add_option("checkpoint", a->checkpoint, "A checkpoint of limulus train")->required();
  c->add_option("--data", a->data,
                "The pictures (default: those held out of the set that it was trained on)");
  add_layout_options(*c, a->layout, a->test_folder);
  c->add_option("--split", a->split,
                "Which of them: held-out, training or all. auto: the test part, or all if there is "
                "none; for the set that it was trained on, what training held out")
      ->check(one_of({"auto", "held-out", "training", "all"}))
      ->capture_default_str();
  c->add_flag("--one-crop", a->one_crop, "Without the ten crops");
  c->add_option("--worst", a->worst,
                "List this many of the worst mistakes (default: none; 20 with --json)")
      ->check(CLI::Range(0, 10000));
  c->add_option("--device", a->device, "limulus devices lists them")->capture_default_str();
  add_plugin_option(*c, a->device);
  c->add_option("--threads", a->threads, "Threads of the cpu device")->check(CLI::Range(1, 1024));
  add_weights_option(*c, a->weights);
  c->add_option("--workers", a->workers, "Threads that decode")
      ->check(CLI::Range(0, 64))
      ->capture_default_str();
  add_cache_option(*c, a->cache);
  c->add_flag("--strict", a->strict, "A picture that cannot be used is an error, not skipped");
  c->add_flag("--json", a->json,
              "As JSON, with the confusion matrix, what was skipped and the worst mistakes");
  add_denormals_option(*c, a->flush_denormals);
  c->callback([a, c] {
    const FlushDenormals denormals(a->flush_denormals);
    evaluate(*c, *a);
  });
}

}  // namespace limulus::tools

#include "tools/data_output.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>

#include "core/printable.h"
#include "tools/commands.h"
#include "tools/terminal.h"
#include "tools/usage.h"
#include "training/data/class_names.h"

namespace limulus::tools {

using Json = nlohmann::ordered_json;

std::string classes_text(const std::vector<std::string>& classes) {
  return fmt::format("{} class{} ({})", classes.size(), classes.size() == 1 ? "" : "es",
                     printable(names_text(classes)));
}

std::string usable_text(std::int64_t usable, std::int64_t all, const std::string& what) {
  return usable == all ? fmt::format("{} {}", all, what)
                       : fmt::format("{} of {} {}", usable, all, what);
}

void print_initial_weights(const InitialWeights& begun) {
  print_line(begun.text());
  for (const std::string& note : begun.notes) say_note(note);
}

void print_skipped(const std::vector<Skipped>& skipped, std::size_t most) {
  if (skipped.empty()) return;
  print_line("        " + printable(summary(skipped)));
  std::vector<Skipped> list;
  std::copy_if(skipped.begin(), skipped.end(), std::back_inserter(list), [](const Skipped& s) {
    return s.rule != SkipRule::hidden && s.rule != SkipRule::not_a_picture;
  });
  const std::size_t shown = list.size() <= most + 1 ? list.size() : most;
  for (std::size_t i = 0; i < shown; ++i)
    print_line(fmt::format("          {}{}", printable(text_of(list[i])),
                           list[i].part.empty() ? "" : fmt::format(" ({})", list[i].part)));
  if (shown < list.size()) print_line(fmt::format("          and {} more", list.size() - shown));
}

void add_layout_options(CLI::App& command, std::optional<std::string>& layout,
                        std::optional<std::string>& test_folder) {
  command
      .add_option(
          "--layout", layout,
          "How the folder is read: classes (each folder is one), train-test (by the names "
          "train, test, val ...), flowers17, mnist, cifar10, shards; auto takes the one that fits")
      ->check(one_of({"auto", "classes", "train-test", "flowers17", "mnist", "cifar10", "shards"}));
  command.add_option("--test-folder", test_folder,
                     "The folder of held-out pictures, where there are several (test, val)");
}

void add_cache_option(CLI::App& command, std::size_t& bytes) {
  command
      .add_option("--cache", bytes,
                  "Memory for decoded pictures, which every epoch needs again: 500MB, 4GB; 0: none")
      ->transform(CLI::AsSizeValue(false))
      ->default_str("1GB");
}

Json skipped_json(const Skipped& s) {
  return {{"name", s.name}, {"part", s.part}, {"rule", name_of(s.rule)}, {"reason", s.reason}};
}

Json skipped_json(const std::vector<Skipped>& skipped, bool list) {
  Json rules = Json::object();
  for (const auto& [rule, count] : count_by_rule(skipped)) rules[name_of(rule)] = count;
  Json j = {{"count", skipped.size()}, {"by_rule", rules}};
  if (!list) return j;
  j["list"] = Json::array();
  for (const Skipped& s : skipped) j["list"].push_back(skipped_json(s));
  return j;
}

Json numbers_json(const Evaluation& e) {
  const auto number = [](double value) { return std::isfinite(value) ? Json(value) : Json(); };
  return {{"images", e.metrics.count()},
          {"top1", number(e.metrics.top1())},
          {"top5", number(e.metrics.top5())},
          {"loss", number(e.loss)}};
}

}  // namespace limulus::tools

// The network's arithmetic, the settings, where the run was made, and what it could not read.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "layers/walk.h"
#include "pages/html.h"
#include "training/report/sections.h"

namespace limulus::report {
namespace {

constexpr std::size_t kMostSkipped = 200;

// "96x55x55" with the sign of multiplication.
std::string times_sign(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool between = i > 0 && i + 1 < text.size() && std::isdigit(text[i - 1]) != 0 &&
                         std::isdigit(text[i + 1]) != 0;
    out += text[i] == 'x' && between ? std::string_view("\xC3\x97") : text.substr(i, 1);
  }
  return out;
}

const WalkStep& largest(const std::vector<WalkStep>& walk, std::int64_t WalkStep::*what) {
  return *std::max_element(walk.begin(), walk.end(),
                           [&](const WalkStep& a, const WalkStep& b) { return a.*what < b.*what; });
}

std::string share(std::int64_t part, std::int64_t whole) {
  return html::percent(static_cast<double>(part) / static_cast<double>(whole), 0);
}

// How the output's size comes about, and what the layer does. A size that is the input's needs no
// words.
std::string story(const WalkStep& step) {
  std::string out;
  if (step.formula.find('=') != std::string::npos || step.detail.empty()) {
    out += fmt::format("<span class=\"formula\">{}</span>", html::escape(step.formula));
  }
  if (!step.detail.empty()) {
    out += fmt::format("<span class=\"detail\">{}</span>", times_sign(html::escape(step.detail)));
  }
  return out;
}

}  // namespace

std::string network(const RunReport& run) {
  if (run.walk.empty()) return html::paragraph("The network\xE2\x80\x99s sizes were not recorded.");
  const auto big = [](std::int64_t n) { return n > 0 ? with_thousands(n) : std::string(); };
  std::string rows;
  for (const auto& step : run.walk) {
    rows += fmt::format(
        "<tr><th scope=\"row\">{}</th><td class=\"text\">{}</td><td class=\"text\">{}</td>"
        "<td>{}</td><td>{}</td><td>{}</td></tr>\n",
        html::escape(step.name), html::escape(step.kind), story(step),
        times_sign(image_size(step.out)), big(step.parameters), big(step.multiply_adds));
  }
  const WalkTotals all = totals(run.walk);
  rows += fmt::format(
      "<tr class=\"total\"><th scope=\"row\">together</th><td></td><td></td><td></td><td>{}</td>"
      "<td>{}</td></tr>\n",
      with_thousands(all.parameters), with_thousands(all.multiply_adds));
  std::string lead = fmt::format(
      "From an input of {} to {} answers: {} learned numbers, and {} multiply-adds for one image.",
      times_sign(image_size(run.walk.front().in)), times_sign(image_size(run.walk.back().out)),
      with_thousands(all.parameters), with_thousands(all.multiply_adds));
  if (all.parameters > 0 && all.multiply_adds > 0) {
    const WalkStep& most = largest(run.walk, &WalkStep::parameters);
    const WalkStep& busiest = largest(run.walk, &WalkStep::multiply_adds);
    lead += fmt::format(
        " Of the numbers, {} sit in <em>{}</em>; of the multiply-adds, {} are made in "
        "<em>{}</em>.",
        share(most.parameters, all.parameters), html::escape(most.name),
        share(busiest.multiply_adds, all.multiply_adds), html::escape(busiest.name));
  }
  return html::paragraph(lead) +
         html::scroll_box("The network, layer by layer",
                          "<table class=\"numbers walk\">\n<thead><tr><th scope=\"col\">layer</th>"
                          "<th scope=\"col\" class=\"text\">kind</th><th scope=\"col\" "
                          "class=\"text\">size of the output, with the numbers put in</th>"
                          "<th scope=\"col\">output</th><th scope=\"col\">parameters</th>"
                          "<th scope=\"col\">multiply-adds</th></tr></thead>\n<tbody>\n" +
                              rows + "</tbody>\n</table>");
}

std::string settings(const RunReport& run) {
  std::string rows;
  const auto json = nlohmann::ordered_json::parse(run.config.to_json());
  for (const auto& [key, value] : json.items()) {
    if (key == "network") continue;  // the walk shows its layers
    rows += html::pair_row(key, value.is_string() ? value.get<std::string>() : value.dump());
  }
  return html::table_of_pairs("Settings", rows);
}

std::string provenance(const RunReport& run) {
  if (run.provenance.empty()) {
    return html::paragraph("Nothing was recorded of the machine and the program.");
  }
  std::string rows;
  for (const auto& [key, value] : run.provenance) rows += html::pair_row(key, value);
  return html::table_of_pairs("Provenance", rows);
}

std::string skipped(const RunReport& run) {
  std::string out;
  if (!run.layout.empty()) {
    std::int64_t train = 0, held_out = 0;
    for (const Skipped& s : run.skipped) {
      train += s.part == "training";
      held_out += s.part == "held out";
    }
    out += html::paragraph(
        fmt::format("The folder was read as {}: {} for training, of which {} could be used, and {} "
                    "held out, of "
                    "which {} could.",
                    html::escape(run.layout), html::count_of(run.train_images, "image", "images"),
                    with_thousands(run.train_images - train), with_thousands(run.held_out),
                    with_thousands(run.held_out - held_out)));
  }
  if (run.skipped.empty()) return out + html::paragraph("Nothing was left out.");
  std::string counts;
  for (const auto& [rule, n] : count_by_rule(run.skipped))
    counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", with_thousands(n),
                          html::escape(text_of(rule)));
  // Pictures of the set first, what merely lies beside them last.
  std::vector<Skipped> list = run.skipped;
  std::stable_sort(list.begin(), list.end(), [](const Skipped& a, const Skipped& b) {
    return stops_strict(a.rule) > stops_strict(b.rule);
  });
  const std::size_t shown = std::min(list.size(), kMostSkipped);
  out += html::paragraph(
      fmt::format("{} took no part: {}{}.",
                  html::count_of(static_cast<std::int64_t>(list.size()), "entry", "entries"),
                  counts, shown < list.size() ? fmt::format("; the first {} are", shown) : ""));
  out += "<ul class=\"skipped\">\n";
  for (std::size_t i = 0; i < shown; ++i) {
    out +=
        fmt::format("<li>{}{}</li>\n", html::escape(text_of(list[i])),
                    list[i].part.empty() ? "" : fmt::format(" ({})", html::escape(list[i].part)));
  }
  return out + "</ul>\n";
}

std::string missing(const RunReport& run) {
  std::string out = html::paragraph(
      "This page was made from the checkpoint, after the run, and not by the training at its end.");
  out += "<ul class=\"skipped\">\n";
  for (const std::string& sentence : run.missing)
    out += fmt::format("<li>{}</li>\n", html::escape(sentence));
  return out + "</ul>\n";
}

}  // namespace limulus::report

// How a gradient check's report is shown: as a table for people, and as JSON for programs.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "gradcheck/gradcheck.h"
#include "gradcheck/map.h"

namespace limulus {

const char* name_of(GradcheckVerdict verdict) {
  switch (verdict) {
    case GradcheckVerdict::ok:
      return "OK";
    case GradcheckVerdict::vacuous:
      return "VACUOUS";
    case GradcheckVerdict::nondeterministic:
      return "NONDETERMINISTIC";
    case GradcheckVerdict::wrong:
      return "WRONG";
  }
  return "?";
}

// A report on no tensor has checked nothing.
GradcheckVerdict GradcheckReport::verdict() const {
  GradcheckVerdict worst = tensors.empty() ? GradcheckVerdict::vacuous : GradcheckVerdict::ok;
  for (const GradcheckTensor& t : tensors) worst = std::max(worst, t.verdict);
  return worst;
}

namespace {

using Json = nlohmann::ordered_json;

// "1e-13: 7, 1e-12: 2, 1 or more: 1": how many entries have an error of that power of ten.
std::string histogram_line(const GradcheckTensor& t) {
  std::string out;
  for (std::size_t b = 0; b < t.histogram.size(); ++b) {
    if (t.histogram[b] == 0) continue;
    const std::string bin = b == 0 ? "below 1e-16"
                            : b + 1 == t.histogram.size()
                                ? "1 or more"
                                : fmt::format("1e{}", static_cast<int>(b) - 17);
    out += fmt::format("{}{}: {}", out.empty() ? "" : ", ", bin, t.histogram[b]);
  }
  return out;
}

std::string summary(const GradcheckTensor& t) {
  std::string out =
      fmt::format("{} {}: {} compared, {} wrong", t.name, t.shape.str(), t.compared, t.wrong);
  if (t.skipped > 0) out += fmt::format(", {} skipped (no derivative there)", t.skipped);
  if (t.together_error >= 0)
    out += fmt::format("; all {} along one direction: error {:.1e}", t.shape.numel(),
                       t.together_error);
  if (!t.mistake.empty()) out += fmt::format(". {}", t.mistake);
  if (!t.diagnosis.empty()) out += fmt::format("{} {}", t.mistake.empty() ? "." : ":", t.diagnosis);
  out += '\n';
  if (t.wrong == 0) return out;
  out += fmt::format("  errors: {}\n", histogram_line(t));
  for (const GradcheckMap& m : t.maps) out += map_text(m);
  return out;
}

Json json_of(const GradcheckEntry& e) {  // NaN becomes null
  return {{"index", e.index},     {"analytic", e.analytic},
          {"numeric", e.numeric}, {"uncertainty", e.uncertainty},
          {"step", e.step},       {"relative_error", e.relative_error},
          {"error", e.error},     {"wrong", e.wrong}};
}

Json json_of(const GradcheckMap& m) {
  return {{"row_axis", m.row_axis}, {"column_axis", m.column_axis},
          {"rows", m.rows},         {"columns", m.columns},
          {"error", m.error},       {"compared", m.compared},
          {"wrong", m.wrong}};
}

Json json_of(const GradcheckTensor& t) {
  Json worst = Json::array(), maps = Json::array();
  for (const GradcheckEntry& e : t.worst) worst.push_back(json_of(e));
  for (const GradcheckMap& m : t.maps) maps.push_back(json_of(m));
  Json json = {
      {"name", t.name},           {"shape", t.shape.sizes()}, {"verdict", name_of(t.verdict)},
      {"compared", t.compared},   {"skipped", t.skipped},     {"wrong", t.wrong},
      {"mistake", t.mistake},     {"diagnosis", t.diagnosis}, {"worst", std::move(worst)},
      {"histogram", t.histogram}, {"maps", std::move(maps)}};
  if (t.together_error >= 0) json["together_error"] = t.together_error;
  if (!t.curve.step.empty())
    json["curve"] = {{"index", t.curve.index},
                     {"step", t.curve.step},
                     {"forward", t.curve.forward},
                     {"central", t.curve.central}};
  return json;
}

}  // namespace

std::string GradcheckReport::text() const {
  // One row for a tensor that is right (its worst entry), several for one that is wrong.
  using Row = std::array<std::string, 6>;
  std::vector<Row> rows = {
      {"tensor", "index", "your gradient", "numeric +- uncertainty", "relative error", "verdict"}};
  for (const GradcheckTensor& t : tensors) {
    bool first = true;
    for (const GradcheckEntry& e : t.worst) {
      if (!first && !e.wrong) break;
      rows.push_back({first ? t.name : "", Shape(e.index).str(), fmt::format("{:.9g}", e.analytic),
                      fmt::format("{:.9g} +- {:.1g}", e.numeric, e.uncertainty),
                      fmt::format("{:.1e}", e.relative_error), first ? name_of(t.verdict) : ""});
      first = false;
    }
    if (first) rows.push_back({t.name, "-", "-", "-", "-", name_of(t.verdict)});
  }
  std::array<std::size_t, 6> width{};
  for (const Row& row : rows)
    for (std::size_t c = 0; c < row.size(); ++c) width[c] = std::max(width[c], row[c].size());
  std::string out;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c)
      line += fmt::format("{:<{}}", row[c], width[c] + (c + 1 < row.size() ? 2 : 0));
    out += fmt::format("{}\n", line.substr(0, line.find_last_not_of(' ') + 1));
  }
  for (const GradcheckTensor& t : tensors) out += summary(t);
  if (!mistake.empty()) out += fmt::format("{}: {}\n", mistake, diagnosis);
  out += fmt::format("gradcheck: {}\n", name_of(verdict()));
  return out;
}

std::string GradcheckReport::json() const {
  Json root = {{"verdict", name_of(verdict())},
               {"mistake", mistake},
               {"diagnosis", diagnosis},
               {"tensors", Json::array()}};
  for (const GradcheckTensor& t : tensors) root["tensors"].push_back(json_of(t));
  return root.dump(2);
}

}  // namespace limulus

// How a gradient check's report is shown: as a table for people, and as JSON for programs.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/gradcheck.h"

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

std::string GradcheckReport::text() const {
  // One row for a tensor that is right (its worst entry), several for one that is wrong.
  using Row = std::array<std::string, 6>;
  std::vector<Row> rows = {
      {"tensor", "index", "analytic", "numeric +- uncertainty", "relative error", "verdict"}};
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
  for (const GradcheckTensor& t : tensors) {
    out += fmt::format("{} {}: {} compared, {} wrong", t.name, t.shape.str(), t.compared, t.wrong);
    if (t.skipped > 0) out += fmt::format(", {} skipped (no derivative there)", t.skipped);
    if (!t.diagnosis.empty()) out += fmt::format(". {}", t.diagnosis);
    out += '\n';
  }
  out += fmt::format("gradcheck: {}\n", name_of(verdict()));
  return out;
}

std::string GradcheckReport::json() const {
  nlohmann::ordered_json root;
  root["verdict"] = name_of(verdict());
  root["tensors"] = nlohmann::ordered_json::array();
  for (const GradcheckTensor& t : tensors) {
    nlohmann::ordered_json worst = nlohmann::ordered_json::array();
    for (const GradcheckEntry& e : t.worst)  // NaN becomes null
      worst.push_back({{"index", e.index},
                       {"analytic", e.analytic},
                       {"numeric", e.numeric},
                       {"uncertainty", e.uncertainty},
                       {"relative_error", e.relative_error},
                       {"wrong", e.wrong}});
    root["tensors"].push_back({{"name", t.name},
                               {"shape", t.shape.sizes()},
                               {"verdict", name_of(t.verdict)},
                               {"compared", t.compared},
                               {"skipped", t.skipped},
                               {"wrong", t.wrong},
                               {"diagnosis", t.diagnosis},
                               {"worst", std::move(worst)}});
  }
  return root.dump(2);
}

}  // namespace limulus

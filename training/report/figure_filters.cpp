// Figure 3: the first convolution's filters by tower. The paper's two towers came to share the work
// by themselves: the filters of one were largely without colour, those of the other largely
// coloured (section 6.1). Here that is measured, and beside the filters stands what training added
// to the start.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "core/printable.h"
#include "layers/conv2d.h"
#include "pages/html.h"
#include "training/report/figures.h"
#include "training/report/filter_grid.h"
#include "training/report/filter_measures.h"

namespace limulus {
namespace {

struct Tower {
  std::string name;
  std::vector<double> w;  // [K, C, fh, fw]
  std::int64_t filters = 0;
};

struct FirstLayer {
  std::vector<Tower> towers;
  std::int64_t channels = 0, rows = 0, columns = 0;
  std::int64_t area() const { return channels * rows * columns; }
};

// The first convolution, cut where the next one's groups part its maps; or, of alexnet-towers,
// those of both towers.
FirstLayer first_layer(Module& model, const std::string& name) {
  FirstLayer first;
  std::vector<const Conv2d*> firsts;
  std::int64_t groups = 0;  // of the next convolution
  model.visit([&](const std::string& layer, Module& m) {
    const auto* conv = dynamic_cast<const Conv2d*>(&m);
    if (conv == nullptr) return;
    const bool own_tower = layer.starts_with("tower") && layer.ends_with("conv1");
    if (firsts.empty() || own_tower)
      firsts.push_back(conv);
    else if (groups == 0)
      groups = conv->options.groups;
  });
  if (firsts.empty())
    throw ValueError(fmt::format("figure: {} has no convolution, and so no filters to draw", name));
  const Shape shape = firsts[0]->weight.shape();
  first.channels = shape[1];
  first.rows = shape[2];
  first.columns = shape[3];
  std::int64_t number = 0;
  const auto add = [&](std::vector<double> w, std::int64_t filters, std::size_t towers) {
    first.towers.push_back({towers > 1
                                ? fmt::format("Tower {}: filters {} to {}", first.towers.size(),
                                              number, number + filters - 1)
                                : fmt::format("All {} filters", filters),
                            std::move(w), filters});
    number += filters;
  };
  if (firsts.size() > 1) {
    for (const Conv2d* conv : firsts)
      add(conv->weight.to_doubles(), conv->weight.size(0), firsts.size());
    return first;
  }
  const std::vector<double> w = firsts[0]->weight.to_doubles();
  const std::int64_t parts = groups > 1 && shape[0] % groups == 0 ? groups : 1;
  const std::int64_t each = shape[0] / parts;
  for (std::int64_t t = 0; t < parts; ++t) {
    const auto begin = w.begin() + t * each * first.area();
    add({begin, begin + each * first.area()}, each, static_cast<std::size_t>(parts));
  }
  return first;
}

FirstLayer minus(FirstLayer a, const FirstLayer& b) {
  for (std::size_t t = 0; t < a.towers.size(); ++t)
    for (std::size_t i = 0; i < a.towers[t].w.size(); ++i) a.towers[t].w[i] -= b.towers[t].w[i];
  return a;
}

double product(const FirstLayer& a, const FirstLayer& b) {
  double sum = 0;
  for (std::size_t t = 0; t < a.towers.size(); ++t)
    for (std::size_t i = 0; i < a.towers[t].w.size(); ++i)
      sum += a.towers[t].w[i] * b.towers[t].w[i];
  return sum;
}

// The paper's three rows of 16 a tower; fewer columns where there are fewer filters.
html::Picture grid_of(const FirstLayer& first, const Tower& tower) {
  return report::filter_grid(tower.w, {tower.filters, first.channels, first.rows, first.columns},
                             tower.filters % 16 == 0 ? 16 : 0)
      .picture;
}

std::string pictures(const FirstLayer& first, const char* what) {
  std::string out = "<div class=\"towers\">\n";
  for (const Tower& tower : first.towers) {
    const html::Picture grid = grid_of(first, tower);
    out += fmt::format(
        "<figure><h3>{0}</h3><img class=\"filters\" width=\"{1}\" height=\"{2}\" alt=\"{3}, {0}\" "
        "src=\"{4}\"></figure>\n",
        tower.name, grid.width, grid.height, what, html::png_uri(grid));
  }
  return out + "</div>\n";
}

// ---- what is measured, filter by filter ---------------------------------------------------------

using Values = std::vector<double>;

std::vector<FilterMeasures> measured(const FirstLayer& first, const Tower& tower) {
  std::vector<FilterMeasures> all;
  for (std::int64_t k = 0; k < tower.filters; ++k)
    all.push_back(measure_filter(tower.w.data() + k * first.area(), first.channels, first.rows,
                                 first.columns));
  return all;
}

double mean(const Values& values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

struct Measure {
  const char* name;
  double (*value)(const FilterMeasures& m);
};

// The share in each quarter of the half circle, of the filters whose direction is clear.
std::string directions(const FirstLayer& first, const char* what) {
  constexpr double kClear = 0.3;
  std::string rows;
  for (const Tower& tower : first.towers) {
    std::array<int, 4> counts{};
    int clear = 0;
    for (const FilterMeasures& m : measured(first, tower)) {
      if (m.coherence < kClear) continue;
      ++clear;
      ++counts.at(static_cast<std::size_t>(std::fmod(m.angle + 22.5, 180) / 45));
    }
    rows += fmt::format(
        "<tr><th scope=\"row\">{}</th><td>{} of {}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>"
        "</tr>\n",
        tower.name, clear, tower.filters, counts[0], counts[1], counts[2], counts[3]);
  }
  return html::scroll_box(
      "Directions",
      fmt::format(
          "<table class=\"numbers\"><caption>Directions of the stripes of {}, where the "
          "coherence is {} or more</caption><thead><tr><th></th><th scope=\"col\">clear</th>"
          "<th scope=\"col\">flat</th><th scope=\"col\">rising</th><th scope=\"col\">upright"
          "</th><th scope=\"col\">falling</th></tr></thead>\n<tbody>\n{}</tbody></table>",
          what, kClear, rows));
}

// What is compared: the filters, and, where the start is known, what was added and the start.
using Compared = std::vector<std::pair<const FirstLayer*, const char*>>;

std::string comparison(const Compared& compared) {
  const FirstLayer& w = *compared.front().first;
  constexpr Measure measures[] = {
      {"colour", [](const FilterMeasures& m) { return m.colour; }},
      {"coherence", [](const FilterMeasures& m) { return m.coherence; }}};
  std::string rows, head;
  const bool two = w.towers.size() == 2;
  for (const Measure& measure : measures) {
    if (w.channels != 3 && std::string(measure.name) == "colour") continue;
    for (const auto& [layer, what] : compared) {
      std::vector<Values> of;
      for (const Tower& tower : layer->towers) {
        Values& values = of.emplace_back();
        for (const FilterMeasures& m : measured(*layer, tower)) values.push_back(measure.value(m));
      }
      rows += fmt::format("<tr><th scope=\"row\">{} of {}</th>", measure.name, what);
      for (const Values& values : of)
        rows += fmt::format("<td>{}</td>", html::number(mean(values), 3));
      if (two)
        rows += fmt::format("<td>{}</td><td>{}</td>", html::number(mean(of[1]) - mean(of[0]), 3),
                            html::percent(chance_of_difference(of[0], of[1])));
      rows += "</tr>\n";
    }
  }
  for (std::size_t t = 0; t < w.towers.size(); ++t)
    head += fmt::format("<th scope=\"col\">{}</th>",
                        w.towers.size() > 1 ? fmt::format("tower {}", t) : "mean");
  if (two) head += "<th scope=\"col\">difference</th><th scope=\"col\">by chance</th>";
  return html::scroll_box("Measures",
                          fmt::format("<table class=\"numbers\"><thead><tr><th scope=\"col\">mean "
                                      "over the filters</th>{}</tr></thead>\n<tbody>\n{}</tbody>"
                                      "</table>",
                                      head, rows));
}

std::string explanation(const FirstLayer& w) {
  std::string out =
      "<p>Two numbers are measured for each filter. <strong>Colour</strong> is the part of its sum "
      "of "
      "squares that is left when its grey part, the mean of the three channels, is taken away: 0 "
      "for a grey filter, about 2/3 for noise. <strong>Coherence</strong> says how much it has one "
      "direction: 1 for an edge or stripes, near 0 for a round spot or noise.</p>\n";
  if (w.towers.size() == 2)
    out +=
        "<p>In the paper the filters of the first tower became largely grey, those of the second "
        "largely coloured, in every run anew. \xE2\x80\x9C"
        "By chance\xE2\x80\x9D is how often two groups that are drawn at random from all filters "
        "differ as much as the towers do, of 10,000 draws. Where it is some percent or more, no "
        "difference between the towers has been shown.</p>\n";
  return out;
}

// How far the filters have come from their start, in words.
std::string change_in_words(const FirstLayer& w, const FirstLayer& start, const FirstLayer& change,
                            std::uint64_t seed) {
  const double was = std::sqrt(product(start, start)), is = std::sqrt(product(w, w)),
               moved = std::sqrt(product(change, change));
  const double cosine = was > 0 && is > 0 ? product(w, start) / (was * is) : 0;
  std::string out = fmt::format(
      "<p>The start w<sub>0</sub> is drawn again from the run\xE2\x80\x99s seed, {}. All filters "
      "together have the length {} now and had {} then; what was added has {}, which is {} of the "
      "start. The cosine between w and w<sub>0</sub> is {}.",
      seed, html::number(is, 3), html::number(was, 3), fmt::format("{:.2g}", moved),
      fmt::format("{:.2g}%", was > 0 ? 100 * moved / was : 0), html::number(cosine, 3));
  if (cosine > 0.9)
    out +=
        " So the filters are still mostly what they were drawn as, and their noise is the "
        "start\xE2\x80"
        "\x99s. What training added can be seen in the difference alone:</p>\n";
  else if (std::abs(cosine) < 0.1)
    out +=
        " Little or nothing is left of that start (or it was another one: a version of the program "
        "that draws other numbers).</p>\n";
  else
    out +=
        " A part of what is seen above is the start; the difference is what training added:</p>\n";
  return out;
}

}  // namespace

html::Picture filters_picture(const TrainedModel& trained) {
  constexpr int kApart = 5;  // rows of pixels between towers; filters are one apart
  const FirstLayer first = first_layer(*trained.model, trained.config.model);
  html::Picture all{.width = 0, .height = -kApart, .channels = 4, .values = {}};
  for (const Tower& tower : first.towers) {  // towers have equally many filters, so one width
    const html::Picture grid = grid_of(first, tower);
    if (all.height > 0) all.values.resize(all.values.size() + std::size_t{kApart} * 4 * grid.width);
    all.values.insert(all.values.end(), grid.values.begin(), grid.values.end());
    all.width = grid.width;
    all.height += kApart + grid.height;
  }
  return all;
}

std::string figure_filters(const TrainedModel& trained, Module* start, const std::string& command) {
  const FirstLayer w = first_layer(*trained.model, trained.config.model);
  const std::string size = fmt::format("{}\xC3\x97{}\xC3\x97{}", w.rows, w.columns, w.channels);
  std::int64_t filters = 0;
  for (const Tower& tower : w.towers) filters += tower.filters;
  std::string body = fmt::format(
      "<p>The {} filters of the first convolution of {}, {} each. Every filter is stretched to its "
      "own range{}.</p>\n",
      filters, html::escape(trained.config.model), size,
      w.channels == 3 ? "; red, green and blue are the weights of the three colours" : "");
  body += pictures(w, "Filters");
  std::string measures;
  if (start != nullptr) {
    const FirstLayer drawn = first_layer(*start, trained.config.model);
    const FirstLayer change = minus(w, drawn);
    body += "<section><h2>What training added: w - w<sub>0</sub></h2>\n" +
            change_in_words(w, drawn, change, trained.config.seed) +
            pictures(change, "What was added") + "</section>\n";
    measures = comparison({{&w, "w, the filters"},
                           {&change, "w - w<sub>0</sub>, what was learned"},
                           {&drawn, "w<sub>0</sub>, the start"}}) +
               directions(w, "w") + directions(change, "w - w<sub>0</sub>");
  } else {
    body += fmt::format(
        "<p>These filters did not begin as random numbers, but as those of {}: what was learned "
        "since cannot be shown by itself.</p>\n",
        html::escape(printable(trained.config.init)));
    measures = comparison({{&w, "w, the filters"}}) + directions(w, "w");
  }
  body +=
      fmt::format("<section><h2>{}</h2>\n",
                  w.towers.size() > 1 ? "What differs between the towers" : "What they are like") +
      explanation(w) + measures + "</section>\n";
  return figure_page(fmt::format("Figure 3: {} filters of {}", filters, size), body, command);
}

}  // namespace limulus

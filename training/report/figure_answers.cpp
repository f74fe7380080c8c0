// Figure 4: photographs with the five likeliest classes; and the training photographs that are
// nearest to each by the last hidden layer.
#include <fmt/format.h>

#include <filesystem>

#include "pages/html.h"
#include "training/report/figures.h"
#include "training/report/thumbnail.h"

namespace limulus {
namespace {

std::string class_of(const TrainedModel& trained, std::int64_t index) {
  return html::escape(trained.classes.at(static_cast<std::size_t>(index)));
}

std::string file_of(const std::string& name) {
  return html::escape(std::filesystem::path(name).filename().string());
}

std::string title_of(const TrainedModel& trained, const FigurePhotograph& p) {
  return p.truth ? class_of(trained, *p.truth) : file_of(p.name);
}

std::string answers(const TrainedModel& trained, const std::vector<FigurePhotograph>& photographs) {
  std::string out = "<ol class=\"answers\">\n";
  for (const FigurePhotograph& p : photographs)
    out += fmt::format("<li>{}<p><strong>{}</strong></p>\n{}</li>\n",
                       thumbnail(p.picture, title_of(trained, p)), title_of(trained, p),
                       guesses(trained, p.probabilities, p.truth));
  return out + "</ol>\n";
}

std::string row(const TrainedModel& trained, const FigurePhotograph& p) {
  std::string out = fmt::format("<tr><th scope=\"row\">{}<b>{}</b></th>",
                                thumbnail(p.picture, title_of(trained, p)), title_of(trained, p));
  for (const Neighbour& n : p.neighbours.nearest) {
    const bool other = p.truth && *p.truth != n.label;
    out += fmt::format("<td{}>{}<b>{}</b>{}</td>", other ? " class=\"other\"" : "",
                       thumbnail(n.picture, class_of(trained, n.label)), class_of(trained, n.label),
                       n.distance == 0 ? "the same picture" : fmt::format("{:.4g}", n.distance));
  }
  return out + "</tr>\n";
}

std::string likeness(const TrainedModel& trained,
                     const std::vector<FigurePhotograph>& photographs) {
  const Neighbours& first = photographs.front().neighbours;
  if (!first.missing.empty()) return html::paragraph(html::escape(first.missing));
  std::string rows;
  std::int64_t near = 0, same = 0;
  for (const FigurePhotograph& p : photographs) {
    rows += row(trained, p);
    for (const Neighbour& n : p.neighbours.nearest) {
      if (!p.truth) continue;
      ++near;
      same += n.label == *p.truth ? 1 : 0;
    }
  }
  std::string lead = fmt::format(
      "In each row a photograph, and the {} training photographs whose {} values after {} are "
      "nearest to its own, by Euclidean distance (below each), of {}{}.",
      first.nearest.size(), first.width, html::escape(first.layer),
      first.searched < first.of ? fmt::format("{} of the ", first.searched) : "all ", first.of);
  if (near > 0) lead += fmt::format(" {} of these {} are of the same class.", same, near);
  if (!first.note.empty()) lead += fmt::format(" {}", html::escape(first.note));
  return html::paragraph(lead) +
         html::scroll_box("Nearest training photographs",
                          "<table class=\"likeness\">\n<tbody>\n" + rows + "</tbody>\n</table>");
}

}  // namespace

std::string figure_answers(const TrainedModel& trained,
                           const std::vector<FigurePhotograph>& photographs,
                           const std::string& command) {
  bool known = false;
  for (const FigurePhotograph& p : photographs) known = known || p.truth.has_value();
  std::string body = fmt::format(
      "<p>{} and what {} takes them for: the likeliest classes, with their probabilities by one "
      "crop.{}</p>\n",
      html::count_of(static_cast<std::int64_t>(photographs.size()), "photograph", "photographs"),
      html::escape(trained.config.model),
      known ? " Below each stands its true class, whose bar is orange." : "");
  body += answers(trained, photographs);
  body += "<section><h2>Which training photographs are like them?</h2>\n" +
          likeness(trained, photographs) + "</section>\n";
  return figure_page("Figure 4: what the network answers", body, command);
}

}  // namespace limulus

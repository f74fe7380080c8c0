#include "training/report/live.h"

#include <fmt/format.h>

#include <filesystem>

#include "pages/html.h"
#include "pages/plot.h"
#include "pages/style.h"
#include "training/report/page_texts.h"
#include "training/report/sections.h"
#include "training/report/snapshot_page.h"

namespace limulus {
namespace {

std::string state_line(const LiveMoment& m) {
  std::string out = fmt::format(
      "<div class=\"state\" id=\"state\" data-written=\"{}\">\n<p class=\"{}\">{}</p>\n", m.written,
      m.state == LiveState::failed ? "broken" : "result", html::escape(m.doing));
  if (m.state == LiveState::running)
    out +=
        "<button type=\"button\" id=\"pause\" hidden>Pause</button>\n"
        "<p class=\"note\" id=\"age\" role=\"status\"></p>\n";
  out += "</div>\n";
  if (!m.error.empty()) out += html::paragraph(html::escape(m.error));
  if (m.state == LiveState::running)
    out += "<noscript><p class=\"note\">Load this page again to see what is new.</p></noscript>\n";
  std::string links;
  if (m.report) links += "<li><a href=\"report.html\">The report</a></li>";
  if (m.snapshots) links += "<li><a href=\"snapshots.html\">Snapshots, with a slider</a></li>";
  return out + (links.empty()
                    ? ""
                    : "<nav aria-label=\"Pages of this run\"><ul>" + links + "</ul></nav>\n");
}

std::string maps_section(const Snapshot& sight, const SeriesSubject& subject) {
  std::string figures;
  for (const SnapshotMaps& maps : sight.maps)
    figures += fmt::format(
        "<figure><h3>{0}</h3><img class=\"forming\" alt=\"{0}\" src=\"{1}\"></figure>\n",
        html::escape(maps_text(maps)), html::png_uri(maps.picture));
  return fmt::format(
      "<div class=\"sight\"><figure><img class=\"photograph\" alt=\"{0}\" src=\"{1}\">"
      "<figcaption>{0}</figcaption></figure>\n<div>{2}</div></div>\n<div "
      "class=\"forms\">{3}</div>\n",
      photograph_text(subject),
      html::png_uri({subject.photograph.picture.width, subject.photograph.picture.height, 3,
                     subject.photograph.picture.rgb}),
      probability_bars(subject, shown_classes(sight.probabilities), sight.probabilities), figures);
}

}  // namespace

std::string live_page(const RunReport& run, const LiveMoment& m,
                      const std::optional<Snapshot>& sight, const SeriesSubject& subject) {
  std::filesystem::path data(run.config.data);
  if (!data.has_filename()) data = data.parent_path();
  const std::string title = html::escape(
      run.config.model + (data.filename().empty() ? "" : " on " + data.filename().string()));
  const bool running = m.state == LiveState::running;
  std::string body = fmt::format("<section id=\"curves\"><h2>How it learns</h2>\n{}</section>\n",
                                 report::curves(run));
  if (sight)
    body += fmt::format("<section id=\"maps\"><h2>What it sees</h2>\n{}</section>\n",
                        maps_section(*sight, subject));
  body +=
      fmt::format("<section id=\"filters\"><h2>What the first layer looks for</h2>\n{}</section>\n",
                  report::filters(run));
  const std::string style = html::style() + plot_style() + report::look_css() +
                            report::figures_css() + report::watch_css();
  return html::page_begin(title,
                          running ? "a training run, as it goes on" : "a training run, as it ended",
                          style, "Limulus, live") +
         fmt::format("{}</header>\n<main>\n{}</main>\n{}</body>\n</html>\n", state_line(m), body,
                     running ? fmt::format("<script>{}</script>\n", report::live_js()) : "");
}

}  // namespace limulus

// A plot's legend and style, and the plot as a file of its own.
#include <fmt/format.h>

#include "pages/html.h"
#include "pages/plot.h"
#include "pages/plot_size.h"

namespace limulus {
namespace {

using plot_size::kHeight, plot_size::kLeft, plot_size::kWidth;

// A legend's samples, 28 wide and 12 high.
constexpr const char* kLevelSample = "<line class=\"level\" x1=\"1\" x2=\"27\" y1=\"6\" y2=\"6\"/>";
constexpr const char* kMarkSample = "<line class=\"mark\" x1=\"14\" x2=\"14\" y1=\"0\" y2=\"12\"/>";

std::string legend_sample(const PlotSeries& s) {
  std::string sample = fmt::format("<path class=\"s{}\" d=\"M1 6L27 6\"/>", s.colour);
  if (s.markers && s.colour % 2 == 1) {
    sample += fmt::format("<circle class=\"m{}\" cx=\"14\" cy=\"6\" r=\"3.4\"/>", s.colour);
  } else if (s.markers) {
    sample += fmt::format("<rect class=\"m{}\" x=\"11.2\" y=\"3.2\" width=\"5.6\" height=\"5.6\"/>",
                          s.colour);
  }
  return sample;
}

constexpr const char* kPlotStyle = R"(
.plot{display:block;width:100%;height:auto;overflow:visible}
.plot text{fill:var(--muted);font-size:13px;font-variant-numeric:tabular-nums}
.plot .label{fill:var(--ink)}
.plot .note{font-size:11.5px}
.plot .grid{stroke:var(--line);stroke-width:1}
.plot .axis{stroke:var(--muted);stroke-width:1}
.plot .level{stroke:var(--muted);stroke-width:1.5;stroke-dasharray:6 4}
.plot .mark{stroke:var(--muted);stroke-width:1;stroke-dasharray:1.5 3}
.plot path{fill:none;stroke-linejoin:round;stroke-linecap:round}
.plot .s0{stroke:var(--muted);stroke-width:.9;opacity:.55}
.plot .s1{stroke:var(--series-1);stroke-width:2.2}
.plot .s2{stroke:var(--series-2);stroke-width:2.2}
.plot .s3{stroke:var(--series-3);stroke-width:2.2}
.plot .s4{stroke:var(--series-4);stroke-width:2.2}
.plot .m1{fill:var(--series-1)}
.plot .m2{fill:var(--paper);stroke:var(--series-2);stroke-width:1.8}
.plot .m3{fill:var(--paper);stroke:var(--series-3);stroke-width:1.8}
.plot .m4{fill:var(--series-4)}
)";

// A page scales its plots, so that a narrow one needs larger letters. In a file they stay as they
// are: its legend has places for letters of one size.
constexpr const char* kPlotPageStyle =
    R"(.legend{display:flex;flex-wrap:wrap;gap:.25rem 1.1rem;margin:0 0 .4rem;padding:0;
  list-style:none;
font-size:.86rem;color:var(--muted)}
.legend li{display:flex;align-items:center;gap:.45rem}
.legend .sample{width:28px;height:12px;flex:none}
@media (max-width:560px){.plot text{font-size:16px}.plot .note{font-size:14px}}
)";

// What the style expects: a report's colours (pages/style.h).
constexpr const char* kFileColours = R"(
svg{--paper:#fdfcf9;--ink:#1d2025;--muted:#5c626c;--line:#e3e0d8;
--series-1:#1d5fa6;--series-2:#bf5a12;--series-3:#2c7f55;--series-4:#84479c}
@media (prefers-color-scheme:dark){svg{--paper:#15171b;--ink:#e7e6e2;--muted:#a0a6b0;--line:#30343b;
--series-1:#74adf2;--series-2:#f0a260;--series-3:#6cc897;--series-4:#c795df}}
.paper{fill:var(--paper)}
)";

}  // namespace

std::string plot_legend(const LinePlot& plot) {
  std::string out = "<ul class=\"legend\">\n";
  const auto entry = [&](const std::string& sample, const std::string& name) {
    out += fmt::format(
        "<li><svg class=\"plot sample\" viewBox=\"0 0 28 12\" aria-hidden=\"true\">{}</svg>{}"
        "</li>\n",
        sample, html::escape(name));
  };
  for (const auto& s : plot.series) entry(legend_sample(s), s.name);
  for (const auto& level : plot.levels) entry(kLevelSample, level.name);
  if (!plot.marks.empty()) entry(kMarkSample, plot.marks_name);
  return out + "</ul>\n";
}

std::string plot_file(const LinePlot& plot) {
  constexpr double legend = 30;  // its height, above the curves
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
      "height=\"{1}\" font-family=\"system-ui, sans-serif\">\n<title>{2}</title>\n<style>{3}{4}"
      "</style>\n<rect class=\"paper\" width=\"{0}\" height=\"{1}\"/>\n",
      kWidth, kHeight + legend, html::escape(plot.title), kFileColours, kPlotStyle);
  out += "<g class=\"plot\">\n";
  double x = kLeft;
  const auto entry = [&](const std::string& sample, const std::string& name) {
    out += fmt::format(
        "<g transform=\"translate({:.0f} 10)\">{}<text x=\"34\" y=\"10.5\">{}</text></g>\n", x,
        sample, html::escape(name));
    x += 34 + 7.5 * static_cast<double>(name.size()) + 16;
  };
  for (const auto& s : plot.series) entry(legend_sample(s), s.name);
  for (const auto& level : plot.levels) entry(kLevelSample, level.name);
  if (!plot.marks.empty()) entry(kMarkSample, plot.marks_name);
  std::string curves = plot_svg(plot);
  const std::string place =
      fmt::format("y=\"{}\" width=\"{}\" height=\"{}\" ", legend, kWidth, kHeight);
  return out + "</g>\n" + curves.insert(5, place) + "</svg>\n";  // behind "<svg "
}

const char* svg_colours() { return kFileColours; }

std::string plot_style() { return std::string(kPlotStyle) + kPlotPageStyle; }

}  // namespace limulus

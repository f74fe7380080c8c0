// The pictures of a gradient check: a histogram of errors, a map of a tensor, a V.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "gradcheck/page.h"
#include "pages/html.h"
#include "pages/plot.h"

namespace limulus {
std::string histogram_svg(const GradcheckTensor& t, double tolerance) {
  constexpr double width = 500, height = 190, left = 8, floor = 150, top = 18;
  const double step = (width - 2 * left) / static_cast<double>(GradcheckTensor::bins);
  const double most =
      static_cast<double>(*std::max_element(t.histogram.begin(), t.histogram.end()));
  std::string out = fmt::format(
      "<svg class=\"plot bars-of-errors\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"How many "
      "entries have an error of which size\">\n",
      width, height);
  for (std::size_t b = 0; b < GradcheckTensor::bins; ++b) {
    const int exponent = static_cast<int>(b) - 17;  // this bin begins at 10^exponent
    const double x = left + static_cast<double>(b) * step;
    if (exponent >= -16 && exponent % 4 == 0)
      out += fmt::format(
          "<line class=\"axis\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/>"
          "<text x=\"{0:.1f}\" y=\"{3}\" text-anchor=\"middle\">{4}</text>\n",
          x, floor, floor + 5, floor + 24, exponent == 0 ? "1" : power_of_ten(exponent));
    if (t.histogram[b] == 0) continue;
    const double high = std::max(2.0, (floor - top) * static_cast<double>(t.histogram[b]) / most);
    const bool over = exponent >= static_cast<int>(std::floor(std::log10(tolerance) + 0.5));
    out += fmt::format(
        "<rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"><title>{} "
        "{}</title></rect><text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n",
        over ? "bad" : "good", x + 1, floor - high, step - 2, high,
        html::count_of(t.histogram[b], "entry", "entries"),
        b == 0                           ? "below 1e-16"
        : b + 1 == GradcheckTensor::bins ? "of 1 or more"
                                         : fmt::format("from 1e{} to 1e{}", exponent, exponent + 1),
        x + step / 2, floor - high - 5, t.histogram[b]);
  }
  return out + fmt::format(
                   "<line class=\"axis\" x1=\"{0}\" x2=\"{1}\" y1=\"{2}\" y2=\"{2}\"/>\n"
                   "<text class=\"label\" x=\"{3}\" y=\"{4}\" text-anchor=\"middle\">relative "
                   "error</text>\n</svg>\n",
                   left, width - left, floor, width / 2, height - 2);
}

std::string map_svg(const GradcheckTensor& t, const GradcheckMap& m, double tolerance) {
  const auto rows = static_cast<double>(m.rows), columns = static_cast<double>(m.columns);
  const double cell = std::clamp(320 / std::max(rows, columns), 5.0, 34.0), left = 14, top = 22;
  std::string out = fmt::format(
      "<svg class=\"plot map\" viewBox=\"0 0 {0:.0f} {1:.0f}\" style=\"width:{0:.0f}px\" "
      "role=\"img\" aria-label=\"Error by index of the axes\">\n"
      "<text x=\"{2}\" y=\"14\">axis {3}: 0 to {4}</text>\n",
      std::max(left + columns * cell + 2, 130.0), top + rows * cell + 2, left, m.column_axis,
      t.shape[m.column_axis] - 1);
  for (std::int64_t r = 0; r < m.rows; ++r)
    for (std::int64_t c = 0; c < m.columns; ++c) {
      const auto at = static_cast<std::size_t>(r * m.columns + c);
      const double error = m.error[at];
      // From the least that double can show (1e-16) to 1: a share of the way, on a scale of powers.
      const double share = std::clamp((std::log10(std::max(error, 1e-16)) + 16) / 16, 0.0, 1.0);
      const bool bad = m.wrong[at] > 0 || error > tolerance * 100;
      const std::string colour =
          m.compared[at] == 0 ? "fill:none"
          : bad               ? fmt::format("fill:rgb(var(--wrong)/{:.2f})", 0.35 + 0.65 * share)
                              : fmt::format("fill:rgb(var(--right)/{:.2f})", 0.08 + 0.4 * share);
      out += fmt::format(
          "<rect class=\"cell\" style=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" "
          "height=\"{:.1f}\"><title>[{}{}]: {}</title></rect>\n",
          colour, left + static_cast<double>(c) * cell, top + static_cast<double>(r) * cell,
          cell - 1, cell - 1, m.row_axis < 0 ? "" : fmt::format("{}, ", r), c,
          m.compared[at] == 0
              ? std::string("nothing compared")
              : fmt::format("error {:.1e}, {} of {} wrong", error, m.wrong[at], m.compared[at]));
      if (bad && cell >= 10)  // not by colour alone
        out += fmt::format(
            "<text class=\"cross\" x=\"{:.1f}\" y=\"{:.1f}\" "
            "text-anchor=\"middle\">\xC3\x97</text>\n",
            left + (static_cast<double>(c) + 0.5) * cell - 0.5,
            top + (static_cast<double>(r) + 0.5) * cell + 4.5);
    }
  if (m.row_axis >= 0)
    out += fmt::format(
        "<text transform=\"translate(10 {:.1f}) rotate(-90)\" text-anchor=\"end\">axis {}</text>\n",
        top, m.row_axis);
  return out + "</svg>\n";
}

std::string curve_svg(const GradcheckTensor& t) {
  if (t.curve.step.empty()) return "";
  LinePlot plot;
  plot.title = "Error of numeric derivatives over the step";
  plot.x_label = "step h, as a power of ten";
  plot.y_label = "error, as a power of ten";
  plot.y_min = -14;
  plot.y_max = 2;
  const auto series = [&](const char* name, int colour, const std::vector<double>& errors) {
    PlotSeries s;
    s.name = name;
    s.colour = colour;
    for (std::size_t i = 0; i < errors.size(); ++i) {
      s.x.push_back(std::log10(t.curve.step[i]));
      s.y.push_back(std::isfinite(errors[i]) ? std::log10(std::max(errors[i], 1e-14))
                                             : std::numeric_limits<double>::quiet_NaN());
    }
    plot.series.push_back(std::move(s));
  };
  series("(L(x + h) - L(x)) / h", 2, t.curve.forward);
  series("(L(x + h) - L(x - h)) / 2h", 1, t.curve.central);
  return plot_legend(plot) + plot_svg(plot);
}

const char* gradcheck_style() {
  return R"(
.plot .good{fill:var(--series-1)}
.plot .bad{fill:var(--series-2)}
.plot .cell{stroke:var(--line);stroke-width:.6}
.plot .cross{fill:var(--ink);font-size:13px}
.map{max-width:100%}
.maps{display:flex;flex-wrap:wrap;gap:1rem 2rem;align-items:flex-start}
.verdict{font-weight:600;font-size:.86rem;letter-spacing:.03em;white-space:nowrap}
.verdict.WRONG,.verdict.NONDETERMINISTIC{color:var(--series-2)}
.verdict.VACUOUS{color:var(--series-4)}
.verdict.OK{color:var(--series-3)}
.diagnosis{border-left:3px solid var(--series-2);padding:.1rem 0 .1rem .9rem}
.tensor{margin:1.6rem 0 2rem}
.tensor h4{margin:0 0 .5rem;font-size:1rem;font-family:var(--mono);font-weight:600}
.case h3{font-size:1.02rem;font-family:var(--mono);overflow-wrap:anywhere;margin-top:1.6rem}
.pictures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr));
gap:1rem 2.5rem;margin:1rem 0}
.pictures figure{max-width:36rem}
.pictures figcaption{margin-bottom:.4rem}
.folded>details{margin:0}
@media (min-width:760px){.folded{display:grid;
  grid-template-columns:repeat(auto-fill,minmax(20rem,1fr));
gap:0 2rem}.folded>details[open]{grid-column:1/-1}}
.cases td:first-child{min-width:12rem}
.cases td.text{white-space:normal;overflow-wrap:anywhere;font-family:var(--mono);font-size:.86em}
)";
}

}  // namespace limulus

#include "pages/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/amounts.h"
#include "pages/html.h"

namespace limulus {
namespace {

// The picture's own units; the page scales it. It is drawn narrow, so that its letters are still
// readable on a telephone.
constexpr double kWidth = 500, kHeight = 310;
constexpr double kLeft = 66, kRight = 12, kTop = 20, kBottom = 46;

struct AxisRange {
  double low = 0, high = 1;
  double at(double value) const { return (value - low) / (high - low); }
};

AxisRange x_range(const LinePlot& plot) {
  AxisRange r{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  for (const auto& s : plot.series) {
    for (const double x : s.x) {
      if (!std::isfinite(x)) continue;
      r.low = std::min(r.low, x);
      r.high = std::max(r.high, x);
    }
  }
  if (!(r.low <= r.high)) return {0, 1};
  r.low = std::min(r.low, 0.0);
  if (r.high == r.low) r.high = r.low + 1;
  return r;
}

// Epochs and steps are counted, so there is no tick between two of them.
std::vector<double> whole_ticks(const AxisRange& r) {
  if (r.high - r.low > 7) return round_ticks(r.low, r.high, 7);
  std::vector<double> ticks;
  for (double x = std::ceil(r.low); x <= r.high; ++x) ticks.push_back(x);
  return ticks;
}

AxisRange y_range(const LinePlot& plot) {
  if (std::isfinite(plot.y_max)) return {plot.y_min, plot.y_max};
  double high = -std::numeric_limits<double>::infinity();
  const bool only_raw = std::none_of(plot.series.begin(), plot.series.end(),
                                     [](const PlotSeries& s) { return s.colour > 0; });
  for (const auto& s : plot.series) {
    if (s.colour == 0 && !only_raw) continue;
    for (const double y : s.y) {
      if (std::isfinite(y)) high = std::max(high, y);
    }
  }
  for (const auto& level : plot.levels) {
    if (std::isfinite(level.y)) high = std::max(high, level.y);
  }
  if (!(high > plot.y_min)) high = plot.y_min + 1;
  return {plot.y_min, high + 0.08 * (high - plot.y_min)};
}

class Drawing {
 public:
  explicit Drawing(const LinePlot& plot) : plot_(plot), xs_(x_range(plot)), ys_(y_range(plot)) {}

  std::string draw() {
    out_ =
        fmt::format("<svg class=\"plot\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n",
                    kWidth, kHeight, html::escape(plot_.title));
    axes();
    marks();
    levels();
    for (const auto& s : plot_.series) line(s);
    for (std::size_t i = 0; i < plot_.series.size(); ++i) {
      if (plot_.series[i].markers) markers(plot_.series[i]);
    }
    out_ += "</svg>\n";
    return std::move(out_);
  }

 private:
  double px(double x) const { return kLeft + xs_.at(x) * (kWidth - kLeft - kRight); }
  double py(double y) const {
    const double place = std::clamp(ys_.at(y), 0.0, 1.0);
    return kHeight - kBottom - place * (kHeight - kTop - kBottom);
  }

  void axes() {
    const auto ticks = round_ticks(ys_.low, ys_.high, 6);
    const double y_step = ticks.size() > 1 ? ticks[1] - ticks[0] : 1;
    for (const double y : ticks) {
      out_ += fmt::format(
          "<line class=\"grid\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>"
          "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n",
          kLeft, kWidth - kRight, py(y), py(y), kLeft - 8, py(y) + 4.5,
          plot_.percent ? tick_label(100 * y, 100 * y_step) + "%" : tick_label(y, y_step));
    }
    const auto x_ticks = whole_ticks(xs_);
    const double x_step = x_ticks.size() > 1 ? x_ticks[1] - x_ticks[0] : 1;
    const double floor = kHeight - kBottom;
    for (const double x : x_ticks) {
      out_ += fmt::format(
          "<line class=\"axis\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\"/>"
          "<text x=\"{0:.1f}\" y=\"{3:.1f}\" text-anchor=\"middle\">{4}</text>\n",
          px(x), floor, floor + 4, floor + 18, tick_label(x, x_step));
    }
    out_ += fmt::format(
        "<line class=\"axis\" x1=\"{}\" x2=\"{}\" y1=\"{}\" y2=\"{}\"/>\n"
        "<text class=\"label\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n"
        "<text class=\"label\" transform=\"translate(12 {}) rotate(-90)\" text-anchor=\"middle\">"
        "{}</text>\n",
        kLeft, kWidth - kRight, floor, floor, (kLeft + kWidth - kRight) / 2, kHeight - 8,
        html::escape(plot_.x_label), (kTop + floor) / 2, html::escape(plot_.y_label));
  }

  void marks() {
    double written_to = 0;  // where the last words end
    for (const auto& mark : plot_.marks) {
      const double x = px(mark.x);
      out_ +=
          fmt::format("<line class=\"mark\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/>",
                      x, kTop, kHeight - kBottom);
      // A letter is about 6 wide. Words without room are left out: the line says enough.
      const double width = 6 * static_cast<double>(mark.name.size());
      if (x + 5 < written_to || x + 5 + width > kWidth) continue;
      out_ += fmt::format("<text class=\"note\" x=\"{:.1f}\" y=\"{}\">{}</text>\n", x + 5, kTop - 5,
                          html::escape(mark.name));
      written_to = x + 5 + width;
    }
  }

  void levels() {
    for (const auto& level : plot_.levels) {
      if (!std::isfinite(level.y)) continue;
      out_ +=
          fmt::format("<line class=\"level\" x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>\n",
                      kLeft, kWidth - kRight, py(level.y), py(level.y));
    }
  }

  void line(const PlotSeries& s) {
    std::string path;
    bool pen_down = false;
    for (std::size_t i = 0; i < std::min(s.x.size(), s.y.size()); ++i) {
      if (!std::isfinite(s.x[i]) || !std::isfinite(s.y[i])) {
        pen_down = false;
        continue;
      }
      path += fmt::format("{}{:.1f} {:.1f}", pen_down ? "L" : "M", px(s.x[i]), py(s.y[i]));
      pen_down = true;
    }
    if (!path.empty()) out_ += fmt::format("<path class=\"s{}\" d=\"{}\"/>\n", s.colour, path);
  }

  // Pointing at a marker shows its value. Of a long series only some points have one.
  void markers(const PlotSeries& s) {
    const std::size_t count = std::min(s.x.size(), s.y.size());
    const std::size_t stride = (count + 29) / 30;
    for (std::size_t i = 0; i < count; ++i) {
      if ((count - 1 - i) % stride != 0 || !std::isfinite(s.x[i]) || !std::isfinite(s.y[i])) {
        continue;
      }
      const double x = px(s.x[i]), y = py(s.y[i]);
      const std::string words = fmt::format(
          "<title>{}: {} at {}</title>", html::escape(s.name),
          plot_.percent ? html::percent(s.y[i]) : html::number(s.y[i], 4), tick_label(s.x[i], 1));
      if (s.colour % 2 == 1) {
        out_ +=
            fmt::format("<circle class=\"m{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.4\">{}</circle>\n",
                        s.colour, x, y, words);
      } else {
        out_ += fmt::format(
            "<rect class=\"m{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"5.6\" height=\"5.6\">{}"
            "</rect>\n",
            s.colour, x - 2.8, y - 2.8, words);
      }
    }
  }

  const LinePlot& plot_;
  AxisRange xs_, ys_;
  std::string out_;
};

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

std::vector<double> round_ticks(double low, double high, int wanted) {
  if (!std::isfinite(low) || !std::isfinite(high) || !(high > low) || wanted < 1) return {};
  const double raw = (high - low) / wanted;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= raw * 0.999) {
      step = factor * power;
      break;
    }
  }
  std::vector<double> ticks;
  // Counted in whole steps: adding the step up would end beside the round number.
  const auto first = static_cast<std::int64_t>(std::ceil(low / step - 1e-9));
  const auto last = static_cast<std::int64_t>(std::floor(high / step + 1e-9));
  for (std::int64_t i = first; i <= last; ++i) ticks.push_back(static_cast<double>(i) * step);
  return ticks;
}

std::string tick_label(double value, double step) {
  if (std::abs(value) >= 1000 && step >= 1) return with_thousands(std::llround(value));
  const int digits =
      step > 0 ? std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 9) : 0;
  return fmt::format("{:.{}f}", value == 0 ? 0.0 : value, digits);
}

std::string plot_svg(const LinePlot& plot) { return Drawing(plot).draw(); }

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

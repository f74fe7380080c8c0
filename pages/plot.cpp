#include "pages/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/amounts.h"
#include "pages/html.h"
#include "pages/plot_size.h"

namespace limulus {
namespace {

using plot_size::kBottom, plot_size::kHeight, plot_size::kLeft, plot_size::kRight, plot_size::kTop,
    plot_size::kWidth;

struct AxisRange {
  double low = 0, high = 1;
  double at(double value) const { return (value - low) / (high - low); }
};

// Where a value stands on the x axis, before it is scaled.
double on_axis(const LinePlot& plot, double x) { return plot.log_x ? std::log10(x) : x; }

AxisRange x_range(const LinePlot& plot) {
  AxisRange r{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  for (const auto& s : plot.series) {
    for (const double value : s.x) {
      const double x = on_axis(plot, value);
      if (!std::isfinite(x)) continue;
      r.low = std::min(r.low, x);
      r.high = std::max(r.high, x);
    }
  }
  if (!(r.low <= r.high)) return {0, 1};
  if (!plot.log_x) r.low = std::min(r.low, 0.0);
  if (r.high == r.low) r.high = r.low + 1;
  return r;
}

int power_at_or_above(double exponent) { return static_cast<int>(std::ceil(exponent - 1e-9)); }

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
  double px(double x) const {
    return kLeft + xs_.at(on_axis(plot_, x)) * (kWidth - kLeft - kRight);
  }
  double py(double y) const {
    const double place = std::clamp(ys_.at(y), 0.0, 1.0);
    return kHeight - kBottom - place * (kHeight - kTop - kBottom);
  }

  std::string x_label(double x, double step) const {
    return plot_.log_x ? power_of_ten(static_cast<int>(std::lround(std::log10(x))))
                       : tick_label(x, step);
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
    std::vector<double> x_ticks;
    if (plot_.log_x)
      for (int e = power_at_or_above(xs_.low); e <= xs_.high + 1e-9; ++e)
        x_ticks.push_back(std::pow(10.0, e));
    else
      x_ticks = whole_ticks(xs_);
    const double x_step = x_ticks.size() > 1 ? x_ticks[1] - x_ticks[0] : 1;
    const double floor = kHeight - kBottom;
    for (const double x : x_ticks) {
      out_ += fmt::format(
          "<line class=\"axis\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\"/>"
          "<text x=\"{0:.1f}\" y=\"{3:.1f}\" text-anchor=\"middle\">{4}</text>\n",
          px(x), floor, floor + 4, floor + 18, x_label(x, x_step));
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
      const std::string words =
          fmt::format("<title>{}: {} at {}</title>", html::escape(s.name),
                      plot_.percent ? html::percent(s.y[i]) : html::number(s.y[i], 4),
                      plot_.log_x ? fmt::format("{:.3g}", s.x[i]) : tick_label(s.x[i], 1));
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

std::string power_of_ten(int exponent) {
  return fmt::format("10<tspan dy=\"-5\" font-size=\"10\">{}</tspan>", exponent);
}

std::string plot_svg(const LinePlot& plot) { return Drawing(plot).draw(); }

}  // namespace limulus

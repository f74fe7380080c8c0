#include "tools/bench/svg.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace limulus::tools {
namespace {

// Ink and colours for light pages, and others where the reader prefers dark ones.
std::string begin(const std::string& title, int width, int height) {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
      "height=\"{1}\" role=\"img\" font-family=\"system-ui, sans-serif\" font-size=\"13\">\n"
      "<title>{2}</title>\n"
      "<style>\n"
      "svg {{ --ink: #1f2328; --muted: #59636e; --line: #d1d9e0; --bar: #1a6fb5; --dot: #b35900; "
      "}}\n"
      "@media (prefers-color-scheme: dark) {{ svg {{ --ink: #e6edf3; --muted: #9198a1; --line: "
      "#3d444d; --bar: #58a6e0; --dot: #f0a050; }} }}\n"
      "text {{ fill: var(--ink); }} .muted {{ fill: var(--muted); }}\n"
      ".line {{ stroke: var(--line); fill: none; }} .bar {{ fill: var(--bar); }}\n"
      ".roof {{ stroke: var(--bar); fill: none; stroke-width: 2; }} .dot {{ fill: var(--dot); }}\n"
      "</style>\n"
      "<text x=\"12\" y=\"22\" font-weight=\"600\">{2}</text>\n",
      width, height, title);
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '<' ? "&lt;" : c == '&' ? "&amp;" : std::string(1, c);
  return out;
}

std::string line(double x1, double y1, double x2, double y2, const char* style) {
  return fmt::format("<path class=\"{}\" d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}\"/>\n", style, x1, y1, x2,
                     y2);
}

std::string text(double x, double y, const std::string& words, const char* anchor,
                 const char* style = "ink") {
  return fmt::format("<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n",
                     style, x, y, anchor, escaped(words));
}

// Three digits, and never an exponent: "0.12", "1.4", "173", "1000".
std::string short_number(double v) {
  return v >= 100 ? fmt::format("{:.0f}", v) : fmt::format("{:.3g}", v);
}

}  // namespace

std::string bars_svg(const std::string& title, const std::string& unit,
                     const std::vector<Bar>& bars) {
  constexpr double left = 240, right = 700, top = 40, row = 28;
  const double bottom = top + row * static_cast<double>(bars.size());
  double low = 1e30, high = 0;
  for (const Bar& b : bars) low = std::min(low, b.value), high = std::max(high, b.value);
  const double from = std::floor(std::log10(low) - 0.01), to = std::ceil(std::log10(high));
  const auto x = [&](double v) {
    return left + (std::log10(v) - from) / (to - from) * (right - left);
  };
  std::string svg = begin(escaped(title), 780, static_cast<int>(bottom) + 44);
  for (double e = from; e <= to; ++e) {
    svg += line(x(std::pow(10, e)), top, x(std::pow(10, e)), bottom, "line");
    svg += text(x(std::pow(10, e)), bottom + 18, short_number(std::pow(10, e)), "middle", "muted");
  }
  svg += text(right, bottom + 36, unit + ", logarithmic", "end", "muted");
  double y = top;
  for (const Bar& b : bars) {
    svg += text(left - 8, y + 18, b.name, "end");
    svg += fmt::format(
        "<rect class=\"bar\" x=\"{}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"18\" rx=\"2\"/>\n",
        left, y + 5, x(b.value) - left);
    svg += text(x(b.value) + 6, y + 18, short_number(b.value), "start");
    y += row;
  }
  return svg + "</svg>\n";
}

std::string roofline_svg(const std::string& title, const Roof& roof,
                         const std::vector<RoofPoint>& points) {
  constexpr double left = 70, right = 740, top = 44, bottom = 440;
  double low = 1, high = 1, slowest = roof.flops, fastest = roof.flops;
  for (const RoofPoint& p : points) {
    low = std::min(low, p.intensity), high = std::max(high, p.intensity);
    slowest = std::min(slowest, p.flops), fastest = std::max(fastest, p.flops);
  }
  const double x0 = std::floor(std::log10(low)), x1 = std::ceil(std::log10(high));
  const double y0 = std::floor(std::log10(slowest)), y1 = std::ceil(std::log10(fastest));
  const auto x = [&](double v) { return left + (std::log10(v) - x0) / (x1 - x0) * (right - left); };
  const auto y = [&](double v) {
    return bottom - (std::log10(v) - y0) / (y1 - y0) * (bottom - top);
  };
  std::string svg = begin(escaped(title), 780, 490);
  for (double e = x0; e <= x1; ++e) {
    svg += line(x(std::pow(10, e)), top, x(std::pow(10, e)), bottom, "line");
    svg += text(x(std::pow(10, e)), bottom + 18, short_number(std::pow(10, e)), "middle", "muted");
  }
  for (double e = y0; e <= y1; ++e) {
    svg += line(left, y(std::pow(10, e)), right, y(std::pow(10, e)), "line");
    svg +=
        text(left - 8, y(std::pow(10, e)) + 4, short_number(std::pow(10, e - 9)), "end", "muted");
  }
  svg += text(right, bottom + 36, "operations per byte", "end", "muted");
  svg += text(left + 6, top + 14, "GFLOP/s", "start", "muted");
  // The roof: a slope, where bytes are the limit, up to the ridge, and level from there.
  const double ridge = roof.flops / roof.bytes;
  const double start = std::max(std::pow(10, x0), std::pow(10, y0) / roof.bytes);
  svg += line(x(start), y(start * roof.bytes), x(ridge), y(roof.flops), "roof");
  svg += line(x(ridge), y(roof.flops), right, y(roof.flops), "roof");
  svg += text(right, y(roof.flops) - 6, fmt::format("{:.0f} GFLOP/s", roof.flops / 1e9), "end",
              "muted");
  svg += text(x(ridge) - 10, y(roof.flops) - 6, fmt::format("{:.1f} GB/s", roof.bytes / 1e9), "end",
              "muted");
  std::vector<RoofPoint> sorted = points;
  std::sort(sorted.begin(), sorted.end(),
            [](const RoofPoint& l, const RoofPoint& r) { return l.intensity < r.intensity; });
  // Points that all but coincide share a label. It stands above them, or below where it would cover
  // another point or label.
  struct Box {
    double left, right, top, bottom;
  };
  std::vector<Box> taken;
  for (const RoofPoint& p : sorted) {
    const double px = x(p.intensity), py = y(p.flops);
    taken.push_back({px - 4, px + 4, py - 4, py + 4});
  }
  const auto is_free = [&](const Box& b) {
    return std::none_of(taken.begin(), taken.end(), [&](const Box& t) {
      return b.left < t.right && t.left < b.right && b.top < t.bottom && t.top < b.bottom;
    });
  };
  for (std::size_t i = 0; i < sorted.size();) {
    const double at_x = x(sorted[i].intensity), at_y = y(sorted[i].flops);
    double highest = at_y, lowest = at_y;
    std::string label;
    for (; i < sorted.size(); ++i) {
      const double px = x(sorted[i].intensity), py = y(sorted[i].flops);
      if (std::abs(px - at_x) > 12 || std::abs(py - at_y) > 12) break;
      svg += fmt::format("<circle class=\"dot\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\"/>\n", px, py);
      highest = std::min(highest, py);
      lowest = std::max(lowest, py);
      label += (label.empty() ? "" : ", ") + sorted[i].name;
    }
    const double half = 3.6 * static_cast<double>(label.size());
    const Box above{at_x - half, at_x + half, highest - 19, highest - 5};
    const Box below{at_x - half, at_x + half, lowest + 5, lowest + 22};
    const bool up = is_free(above) || !is_free(below);
    taken.push_back(up ? above : below);
    svg += text(at_x, up ? highest - 9 : lowest + 19, label, "middle");
  }
  return svg + "</svg>\n";
}

}  // namespace limulus::tools

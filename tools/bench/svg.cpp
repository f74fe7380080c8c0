#include "tools/bench/svg.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <sstream>
#include <utility>

namespace limulus::tools {
namespace {

// Drawn as narrow as a telephone, so that the letters, 13 high, stay nearly as large there.
constexpr int kWidth = 400;

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '<' ? "&lt;" : c == '&' ? "&amp;" : std::string(1, c);
  return out;
}

// Words cut into lines of so many letters.
std::vector<std::string> lines_of(const std::string& words, std::size_t letters) {
  std::vector<std::string> lines;
  std::istringstream in(words);
  for (std::string word; in >> word;) {
    if (lines.empty() || lines.back().size() + 1 + word.size() > letters)
      lines.push_back(word);
    else
      lines.back() += " " + word;
  }
  return lines;
}

constexpr double kTitleRow = 18;

double title_height(const std::string& title) {
  return kTitleRow * static_cast<double>(lines_of(title, 46).size());
}

// Ink and colours for light pages, and others where the reader prefers dark ones.
std::string begin(const std::string& title, int width, int height) {
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
      "height=\"{1}\" role=\"img\" font-family=\"system-ui, sans-serif\" font-size=\"13\">\n"
      "<title>{2}</title>\n"
      "<style>\n"
      "svg {{ --ink: #1f2328; --muted: #59636e; --line: #d1d9e0; --bar: #1a6fb5; --dot: #b35900; "
      "}}\n"
      "@media (prefers-color-scheme: dark) {{ svg {{ --ink: #e6edf3; --muted: #9198a1; --line: "
      "#3d444d; --bar: #58a6e0; --dot: #f0a050; }} }}\n"
      "text {{ fill: var(--ink); }} .muted {{ fill: var(--muted); }}\n"
      ".line {{ stroke: var(--line); fill: none; }} .leader {{ stroke: var(--muted); fill: none; "
      "}} .bar {{ fill: var(--bar); }}\n"
      ".roof {{ stroke: var(--bar); fill: none; stroke-width: 2; }} .dot {{ fill: var(--dot); }}\n"
      "</style>\n",
      width, height, escaped(title));
  double y = 22;
  for (const std::string& words : lines_of(title, 46)) {
    svg +=
        fmt::format("<text x=\"12\" y=\"{}\" font-weight=\"600\">{}</text>\n", y, escaped(words));
    y += kTitleRow;
  }
  return svg;
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

struct LabelBox {
  double left, right, top, bottom;
};

struct Segment {
  double x1, y1, x2, y2;
};

// Where labels of a picture may stand: not on another label, a point or a line.
class Labels {
 public:
  void keep_free(const LabelBox& box) { taken_.push_back(box); }

  void keep_free(const Segment& l) {
    for (const LabelBox& box : boxes_along(l)) keep_free(box);
  }

  // A label for what is within `of`: above it, below, to its right or left, or further away with
  // a line to it: the first place within `frame` that is free, and above where none is.
  std::string add(const std::string& words, const LabelBox& of, const LabelBox& frame) {
    const double middle = (of.left + of.right) / 2, base = (of.top + of.bottom) / 2 + 4;
    std::vector<Place> places{{middle, of.top - 5, "middle"},
                              {middle, of.bottom + 15, "middle"},
                              {of.right + 4, base, "start"},
                              {of.left - 4, base, "end"}};
    for (double far = 14; far <= 98; far += 14) {
      for (const double aside : {0.0, 20.0, -20.0}) {
        const char* anchor = aside == 0 ? "middle" : aside > 0 ? "start" : "end";
        const double up = of.top - 5 - far, down = of.bottom + 15 + far;
        places.push_back(
            {middle + aside, down, anchor, {middle, of.bottom, middle + aside, down - 12}});
        places.push_back({middle + aside, up, anchor, {middle, of.top, middle + aside, up + 4}});
      }
    }
    const auto found = std::find_if(places.begin(), places.end(), [&](const Place& p) {
      const LabelBox b = box_of(words, p.x, p.y, p.anchor);
      return b.left >= frame.left && b.right <= frame.right && b.top >= frame.top &&
             b.bottom <= frame.bottom && is_free(b) && is_free(p.leader);
    });
    misses_ += found == places.end();
    const Place& place = found == places.end() ? places[0] : *found;
    keep_free(box_of(words, place.x, place.y, place.anchor));
    const Segment& l = place.leader;
    if (l.x1 == 0) return text(place.x, place.y, words, place.anchor);
    keep_free(l);
    return line(l.x1, l.y1, l.x2, l.y2, "leader") + text(place.x, place.y, words, place.anchor);
  }

  // How many labels found no free place.
  int misses() const { return misses_; }

  // The room that words take: a letter is about 7.2 wide.
  static LabelBox box_of(const std::string& words, double x, double y, const std::string& anchor) {
    const double width = 7.2 * static_cast<double>(words.size());
    const double left = anchor == "middle" ? x - width / 2 : anchor == "end" ? x - width : x;
    return {left, left + width, y - 11, y + 3};
  }

 private:
  // A place for words, and the line that leads to it from what they name, if there is one.
  struct Place {
    double x, y;
    const char* anchor;
    Segment leader{0, 0, 0, 0};
  };

  // Boxes as small as a point, along a line.
  static std::vector<LabelBox> boxes_along(const Segment& l) {
    std::vector<LabelBox> boxes;
    const int pieces = 1 + static_cast<int>(std::hypot(l.x2 - l.x1, l.y2 - l.y1) / 4);
    for (int i = 0; i <= pieces; ++i) {
      const double x = l.x1 + (l.x2 - l.x1) * i / pieces, y = l.y1 + (l.y2 - l.y1) * i / pieces;
      boxes.push_back({x - 1, x + 1, y - 1, y + 1});
    }
    return boxes;
  }

  bool is_free(const Segment& l) const {
    if (l.x1 == 0) return true;
    const std::vector<LabelBox> boxes =
        boxes_along(l);  // but for its beginning, at what it comes from
    return std::all_of(boxes.begin() + 1, boxes.end(),
                       [&](const LabelBox& b) { return is_free(b); });
  }

  bool is_free(const LabelBox& b) const {
    return std::none_of(taken_.begin(), taken_.end(), [&](const LabelBox& t) {
      return b.left < t.right && t.left < b.right && b.top < t.bottom && t.top < b.bottom;
    });
  }
  std::vector<LabelBox> taken_;
  int misses_ = 0;
};

}  // namespace

std::string bars_svg(const std::string& title, const std::string& unit,
                     const std::vector<Bar>& bars) {
  constexpr double left = 12, right = 388, row = 46;
  const double top = 18 + title_height(title);
  const double bottom = top + row * static_cast<double>(bars.size());
  double low = 1e30, high = 0;
  for (const Bar& b : bars) low = std::min(low, b.value), high = std::max(high, b.value);
  const double from = std::floor(std::log10(low) - 0.01), to = std::ceil(std::log10(high));
  const auto x = [&](double v) {
    return left + (std::log10(v) - from) / (to - from) * (right - left);
  };
  std::string svg = begin(title, kWidth, static_cast<int>(bottom) + 44);
  for (double e = from; e <= to; ++e) {
    const char* anchor = e == from ? "start" : e == to ? "end" : "middle";
    svg += text(x(std::pow(10, e)), bottom + 16, short_number(std::pow(10, e)), anchor, "muted");
  }
  svg += text(right, bottom + 36, unit + ", logarithmic", "end", "muted");
  // A name and its value stand above their bar; the grid crosses the bars alone.
  double y = top;
  for (const Bar& b : bars) {
    svg += text(left, y + 17, b.name, "start");
    svg += text(right, y + 17, short_number(b.value), "end");
    for (double e = from; e <= to; ++e)
      svg += line(x(std::pow(10, e)), y + 23, x(std::pow(10, e)), y + 41, "line");
    svg += fmt::format(
        "<rect class=\"bar\" x=\"{}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"14\" rx=\"2\"/>\n",
        left, y + 25, x(b.value) - left);
    y += row;
  }
  return svg + "</svg>\n";
}

std::string roofline_svg(const std::string& title, const Roof& roof,
                         const std::vector<RoofPoint>& points) {
  constexpr double left = 52, right = 380, inside = 4;
  const double top = 26 + title_height(title), bottom = top + 326;
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
  std::string svg = begin(title, kWidth, static_cast<int>(bottom) + 50);
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
  Labels labels;
  labels.keep_free(Labels::box_of("GFLOP/s", left + 6, top + 14, "start"));
  svg += line(x(start), y(start * roof.bytes), x(ridge), y(roof.flops), "roof");
  svg += line(x(ridge), y(roof.flops), right, y(roof.flops), "roof");
  labels.keep_free(Segment{x(start), y(start * roof.bytes), x(ridge), y(roof.flops)});
  labels.keep_free(Segment{x(ridge), y(roof.flops), right, y(roof.flops)});
  // The two limits stand on the roof, one above the other where the level part is short.
  const auto limit = [&](double at, double base, double value, const char* unit) {
    const std::string words = fmt::format("{:.{}f} {}", value / 1e9, value < 1e11 ? 1 : 0, unit);
    svg += text(at, base, words, "end", "muted");
    const LabelBox box = Labels::box_of(words, at, base, "end");
    labels.keep_free(box);
    return box.left;
  };
  const double roof_y = y(roof.flops) - 6;
  const double free_to = limit(right, roof_y, roof.flops, "GFLOP/s");
  limit(x(ridge) - 10, x(ridge) - 10 > free_to ? roof_y - 16 : roof_y, roof.bytes, "GB/s");
  std::vector<RoofPoint> sorted = points;
  std::sort(sorted.begin(), sorted.end(),
            [](const RoofPoint& l, const RoofPoint& r) { return l.intensity < r.intensity; });
  for (const RoofPoint& p : sorted) {
    const double px = x(p.intensity), py = y(p.flops);
    svg += fmt::format("<circle class=\"dot\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\"/>\n", px, py);
    labels.keep_free(LabelBox{px - 4, px + 4, py - 4, py + 4});
  }
  // Points that all but coincide share a label.
  std::vector<std::pair<std::string, LabelBox>> named;
  for (std::size_t i = 0; i < sorted.size();) {
    const double at_x = x(sorted[i].intensity), at_y = y(sorted[i].flops);
    LabelBox of{at_x, at_x, at_y, at_y};
    std::string names;
    for (; i < sorted.size(); ++i) {
      const double px = x(sorted[i].intensity), py = y(sorted[i].flops);
      if (std::abs(px - at_x) > 12 || std::abs(py - at_y) > 12) break;
      of = {std::min(of.left, px), std::max(of.right, px), std::min(of.top, py),
            std::max(of.bottom, py)};
      names += (names.empty() ? "" : ", ") + sorted[i].name;
    }
    of = {of.left - 4, of.right + 4, of.top - 4, of.bottom + 4};
    named.emplace_back(names, of);
  }
  // From left to right, or from right to left where that leaves fewer labels without a place.
  const auto placed = [&](Labels& among, const auto& order) {
    std::string made;
    for (const auto& [names, of] : order)
      made += among.add(names, of, {left + inside, right - inside, top + inside, bottom - inside});
    return made;
  };
  Labels others = labels;
  const std::string forward = placed(labels, named);
  const std::string backward = placed(others, std::vector(named.rbegin(), named.rend()));
  return svg + (others.misses() < labels.misses() ? backward : forward) + "</svg>\n";
}

}  // namespace limulus::tools

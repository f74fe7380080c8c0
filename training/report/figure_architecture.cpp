// Figure 2: the layers as blocks, to scale. A block is as high and deep as its maps are in places,
// and as wide as there are maps; where convolutions have groups, towers stand one above the other.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/amounts.h"
#include "core/error.h"
#include "pages/html.h"
#include "pages/plot.h"
#include "training/report/figures.h"
#include "training/report/page_texts.h"
#include "training/report/sections.h"

namespace limulus {

namespace {

// One scale for places, one for maps: 227 places are 160 units of the drawing, 100 maps are 32. A
// row of values has no places: it is drawn as a bar whose height is their number, 1,000 for 40.
constexpr double kDepthX = 0.38, kDepthY = 0.22;  // a place into the depth, of one upward
constexpr double kBar = 0.04, kBarWidth = 12;

struct Scale {
  double place = 0, map = 0.32;
};

struct Block {
  std::string name, size;      // of one tower: "55x55x48"
  double width = 0, high = 0;  // of its front
  double depth = 0;            // into the picture, along x
  std::int64_t groups = 1;
  bool maps = false;
  double window =
      0;  // side of the window that the next convolution reads of it, in places; 0: none
  std::string reads;  // "11x11, stride 4"
};

Block block_of(const Shape& shape, std::int64_t towers, const Scale& scale) {
  Block b;
  const std::int64_t each = shape[1] / towers;
  if (shape.rank() == 4) {
    b.maps = true;
    b.high = scale.place * static_cast<double>(shape[2]);
    b.depth = scale.place * static_cast<double>(shape[3]) * kDepthX;
    b.width = std::max(2.0, scale.map * static_cast<double>(each));
    b.size = fmt::format("{}\xC3\x97{}\xC3\x97{}", shape[2], shape[3], each);
  } else {
    b.high = std::max(4.0, kBar * static_cast<double>(each));
    b.width = kBarWidth;
    b.size = with_thousands(each);
  }
  return b;
}

// Layers that change neither size nor the number of maps are not drawn: ReLU, LRN, dropout,
// flatten.
bool drawn(const WalkStep& step) { return step.window.has_value() || step.kind == "Linear"; }

std::int64_t towers_of(const std::vector<WalkStep>& walk) {
  std::int64_t towers = 1;
  for (const WalkStep& step : walk) towers = std::max(towers, step.groups);
  return towers;
}

std::string polygon(const char* kind, std::initializer_list<std::pair<double, double>> points) {
  std::string list;
  for (const auto& [x, y] : points) list += fmt::format("{:.1f},{:.1f} ", x, y);
  list.pop_back();
  return fmt::format("<polygon class=\"{}\" points=\"{}\"/>\n", kind, list);
}

std::string line(const char* kind, double x1, double y1, double x2, double y2) {
  return fmt::format(
      "<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", kind, x1,
      y1, x2, y2);
}

std::string words(const char* kind, double x, double y, std::string_view text) {
  return fmt::format(
      "<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n", kind, x, y,
      html::escape(text));
}

struct Placed {
  Block block;
  double x = 0;  // of its front's left edge
};

// The block with its front's left edge at x and its middle at y.
std::string drawing_of(const Block& b, double x, double y) {
  const double top = y - b.high / 2, bottom = y + b.high / 2, right = x + b.width,
               up = b.depth * kDepthY / kDepthX;
  std::string out;
  if (b.maps) {
    out += polygon("top",
                   {{x, top}, {x + b.depth, top - up}, {right + b.depth, top - up}, {right, top}});
    out += polygon("side", {{right, top},
                            {right + b.depth, top - up},
                            {right + b.depth, bottom - up},
                            {right, bottom}});
  }
  return out + polygon("front", {{x, top}, {right, top}, {right, bottom}, {x, bottom}});
}

// The window of the next layer on the block's side, and the lines that meet at what is made of it.
std::string window_of(const Block& b, double x, double y, double place, double to_x, double to_y) {
  const double side = place * b.window, depth = side * kDepthX, up = side * kDepthY;
  const double left = x + b.width + b.depth / 2 - depth / 2,
               middle = y - b.depth * kDepthY / kDepthX / 2 + up / 2;
  const double top = middle - side / 2, bottom = middle + side / 2;
  return polygon(
             "window",
             {{left, top}, {left + depth, top - up}, {left + depth, bottom - up}, {left, bottom}}) +
         line("reads", left + depth, top - up, to_x, to_y) +
         line("reads", left + depth, bottom - up, to_x, to_y);
}

}  // namespace

std::string architecture_svg(const std::vector<WalkStep>& walk) {
  if (walk.empty() || walk[0].in.rank() != 4)
    throw ValueError("figure: a network is drawn from the sizes of its layers, and there are none");
  const std::int64_t towers = towers_of(walk);
  Scale scale;
  const auto largest = static_cast<double>(std::max(walk[0].in[2], walk[0].in[3]));
  scale.place = 160 / largest;
  std::int64_t most = 1;
  for (const WalkStep& step : walk)
    if (step.out.rank() == 4) most = std::max(most, step.out[1] / towers);
  scale.map = std::min(1.6, 62.0 / static_cast<double>(most));

  std::vector<Placed> blocks;
  double x = 12;
  const auto place = [&](Block b) {
    const double room = std::max(b.width + b.depth, 48.0);
    blocks.push_back({std::move(b), x});
    x += room + 24;
  };
  Block input = block_of(walk[0].in, 1, scale);
  input.name = "input";
  place(input);
  for (const WalkStep& step : walk) {
    if (!drawn(step)) continue;
    Block& before = blocks.back().block;
    if (step.window) {
      before.window = static_cast<double>(step.window->h.kernel);
      before.reads =
          fmt::format("{0}\xC3\x97{0}{1}", step.window->h.kernel,
                      step.window->h.stride > 1 ? fmt::format(" /{}", step.window->h.stride) : "");
    }
    const bool last = &step == &walk.back();
    Block b = block_of(step.out, last ? 1 : towers, scale);
    b.name = step.name;
    b.groups = step.groups;
    // A pool reads each map for itself, and stays within a tower.
    if (step.window && step.kind.find("Pool") != std::string::npos) b.groups = towers;
    place(std::move(b));
  }
  // A tower's height: the highest block of those that are in towers.
  double high = 0, above = 0;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const Block& b = blocks[i].block;
    const bool single = i == 0 || i + 1 == blocks.size();
    const double up = b.depth * kDepthY / kDepthX;
    if (towers == 1 || !single) high = std::max(high, b.high);
    above = std::max(above, single && towers > 1 ? 0 : up);
  }
  const double row = high + above + 42;
  const double height = std::max(row * static_cast<double>(towers), 160 + 90.0) + 28;
  const auto y_of = [&](std::size_t i, std::int64_t tower) {
    const bool single = i == 0 || i + 1 == blocks.size();
    if (towers == 1 || single) return height / 2 + 8;
    return row * (static_cast<double>(tower) + 0.5) + above / 2 + 8;
  };
  std::string lines, shapes;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const Placed& p = blocks[i];
    const bool single = i == 0 || i + 1 == blocks.size();
    const std::int64_t rows = single ? 1 : towers;
    for (std::int64_t t = 0; t < rows; ++t) {
      const double y = y_of(i, t);
      shapes += drawing_of(p.block, p.x, y);
      const double middle = p.x + (p.block.width + p.block.depth) / 2;
      shapes += words("name", middle, y + p.block.high / 2 + 14, p.block.name);
      shapes += words("small", middle, y + p.block.high / 2 + 25, p.block.size);
      if (i + 1 == blocks.size()) continue;
      const Placed& next = blocks[i + 1];
      const std::int64_t next_rows = i + 2 == blocks.size() ? 1 : towers;
      for (std::int64_t u = 0; u < next_rows; ++u) {
        const bool own = rows == 1 || next_rows == 1 || u == t;
        if (!own && next.block.groups > 1) continue;  // this tower's maps stay in it
        const double to_y = y_of(i + 1, u);
        if (own && p.block.window > 0)
          shapes += window_of(p.block, p.x, y, scale.place, next.x, to_y);
        else
          lines += line("other", p.x + p.block.width + p.block.depth, y, next.x, to_y);
      }
      if (p.block.window > 0 && t == 0)
        shapes +=
            words("small", p.x + p.block.width + p.block.depth + 10,
                  y - p.block.high / 2 - p.block.depth * kDepthY / kDepthX - 5, p.block.reads);
    }
  }
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"architecture\" viewBox=\"0 0 {:.0f} "
      "{:.0f}\" "
      "role=\"img\" aria-label=\"The layers of the network as blocks, from the input on the left "
      "to the "
      "classes on the right\">\n{}{}</svg>\n",
      x, height, lines, shapes);
}

std::string architecture_file(const std::vector<WalkStep>& walk) {
  std::string svg = architecture_svg(walk);
  svg.insert(svg.find(">\n") + 2,
             fmt::format("<style>{}{}</style>\n", svg_colours(), report::figures_css()));
  return svg;
}

std::string figure_architecture(const std::string& model, const std::vector<WalkStep>& walk,
                                const std::string& command) {
  RunReport sizes;
  sizes.walk = walk;
  const std::int64_t towers = towers_of(walk);
  std::string body = html::paragraph(
      "Every block is drawn to scale: it is as high and as deep as its maps have rows and columns, "
      "and as wide as there are maps. Rows of values, which have no places, are bars as high as "
      "their number, to another scale. ReLU, normalization and dropout, which keep every size, are "
      "left out.");
  body += html::scroll_box("The network to scale", architecture_svg(walk));
  body += "<p class=\"note\">Orange: a window, and the one number that is made of it. ";
  if (towers > 1)
    body += fmt::format(
        "The {} rows are the paper\xE2\x80\x99s towers: where a line leads to the other row, a "
        "layer reads "
        "the maps of both; where none does, only those of its own.",
        towers);
  body += "</p>\n<section><h2>Layer by layer</h2>\n" + report::network(sizes) + "</section>\n";
  return figure_page(fmt::format("Figure 2: the architecture of {}", html::escape(model)), body,
                     command);
}

}  // namespace limulus

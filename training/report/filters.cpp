// The first convolution's filters as pictures.
#include <fmt/format.h>

#include <algorithm>

#include "pages/html.h"
#include "training/report/filter_grid.h"
#include "training/report/sections.h"

namespace limulus::report {

std::string filters(const RunReport& run) {
  if (!run.filters.defined()) {
    return html::paragraph(
        "No convolution\xE2\x80\x99s weights were given, so there are no pictures "
        "of them.");
  }
  const Shape& shape = run.filters.shape();
  if (shape.rank() != 4 || shape.numel() == 0) {
    return html::paragraph(fmt::format("Weights of shape {} are no pictures.", shape.str()));
  }
  const FilterGrid grid = filter_grid(run.filters.to_doubles(), shape);
  const auto& p = grid.picture;
  std::string size = fmt::format("{}\xC3\x97{}\xC3\x97{}", shape[2], shape[3], shape[1]);
  // A filter of few pixels is enlarged more; the whole picture stays within the page.
  const int scale = std::clamp(1000 / p.width, 1, 8);
  std::string out = fmt::format(
      "<figure>\n<img class=\"filters\" style=\"width:{}px\" width=\"{}\" height=\"{}\" "
      "alt=\"{} filters of {} in a grid, row by row\" src=\"{}\">\n<figcaption>",
      p.width * scale, p.width, p.height, grid.shown, size, html::png_uri(p));
  out += fmt::format(
      "The {} filters of the first convolution, {}, each stretched to its own range; {}.",
      grid.shown < shape[0] ? fmt::format("first {} of {}", grid.shown, shape[0])
                            : fmt::format("{}", shape[0]),
      size,
      shape[1] == 3   ? "red, green and blue are the weights of the three colours"
      : shape[1] == 1 ? "light is a large weight, dark a small one"
                      : "grey is the mean over its input channels");
  if (grid.broken > 0) {
    out += fmt::format(" Plain grey: {} with values that are not numbers.",
                       html::count_of(grid.broken, "filter", "filters"));
  }
  out +=
      " What to look for: stripes and edges at every angle, coarse and fine, and, with colour, "
      "soft spots of one colour beside its opposite. Krizhevsky et al. (2012, figure 3) show "
      "them after 1.2 million photographs. A filter that looks like noise has hardly moved from "
      "its random start: with few images or few epochs most still do. Two that look alike do "
      "the same work twice.</figcaption>\n</figure>\n";
  if (run.snapshots > 0)
    out += html::paragraph(
        fmt::format("<a href=\"snapshots.html\">How they formed</a>: {} of the run, with a slider.",
                    html::count_of(run.snapshots, "snapshot", "snapshots")));
  return out;
}

}  // namespace limulus::report

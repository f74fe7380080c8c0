// The first convolution's kernels as pictures.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "pages/html.h"
#include "training/report/sections.h"

namespace limulus::report {
namespace {

constexpr std::int64_t kMostFilters = 512;

// A number of columns that fills the grid if there is one, half as many again as there are rows.
std::int64_t columns_for(std::int64_t count) {
  const auto wanted =
      static_cast<std::int64_t>(std::llround(std::sqrt(1.5 * static_cast<double>(count))));
  for (std::int64_t off = 0; off <= wanted / 3; ++off) {
    for (const std::int64_t columns : {wanted + off, wanted - off}) {
      if (columns > 0 && count % columns == 0) return columns;
    }
  }
  return std::max<std::int64_t>(wanted, 1);
}

struct Grid {
  html::Picture picture;
  std::int64_t shown = 0, broken = 0;  // broken: with values that are not numbers
};

// Each kernel is stretched to its own range: w -> 255 (w - min) / (max - min). Three channels are
// red, green and blue; otherwise grey, the mean over the channels. Between them is nothing
// (transparent).
Grid draw(const std::vector<double>& w, const Shape& shape) {
  const std::int64_t channels = shape[1], rows = shape[2], cols = shape[3];
  const bool colour = channels == 3;
  Grid grid;
  grid.shown = std::min(shape[0], kMostFilters);
  const std::int64_t columns = columns_for(grid.shown);
  const std::int64_t lines = (grid.shown + columns - 1) / columns;
  html::Picture& p = grid.picture;
  p.width = static_cast<int>(columns * (cols + 1) - 1);
  p.height = static_cast<int>(lines * (rows + 1) - 1);
  p.channels = 4;
  p.values.assign(static_cast<std::size_t>(p.width) * p.height * 4, 0);
  const std::int64_t area = rows * cols;
  for (std::int64_t k = 0; k < grid.shown; ++k) {
    std::vector<double> values(static_cast<std::size_t>(3 * area), 0.0);  // [3, rows, cols]
    for (std::int64_t c = 0; c < 3; ++c) {
      for (std::int64_t i = 0; i < area; ++i) {
        double& v = values[static_cast<std::size_t>(c * area + i)];
        const double* kernel = w.data() + k * channels * area;
        if (colour) {
          v = kernel[c * area + i];
        } else {
          for (std::int64_t j = 0; j < channels; ++j) v += kernel[j * area + i];
        }
      }
    }
    const bool broken =
        std::any_of(values.begin(), values.end(), [](double v) { return !std::isfinite(v); });
    grid.broken += broken;
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    const double range = *high - *low;
    for (std::int64_t i = 0; i < area; ++i) {
      const std::int64_t x = k % columns * (cols + 1) + i % cols;
      const std::int64_t y = k / columns * (rows + 1) + i / cols;
      std::uint8_t* pixel = p.values.data() + 4 * (y * p.width + x);
      for (std::int64_t c = 0; c < 3; ++c) {
        const double v = values[static_cast<std::size_t>(c * area + i)];
        pixel[c] = broken || !(range > 0)
                       ? 128
                       : static_cast<std::uint8_t>(std::lround(255 * (v - *low) / range));
      }
      pixel[3] = 255;
    }
  }
  return grid;
}

}  // namespace

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
  const Grid grid = draw(run.filters.to_doubles(), shape);
  const auto& p = grid.picture;
  std::string size = fmt::format("{}\xC3\x97{}\xC3\x97{}", shape[2], shape[3], shape[1]);
  // A kernel of few pixels is enlarged more; the whole picture stays within the page.
  const int scale = std::clamp(1000 / p.width, 1, 8);
  std::string out = fmt::format(
      "<figure>\n<img class=\"filters\" style=\"width:{}px\" width=\"{}\" height=\"{}\" "
      "alt=\"{} kernels of {} in a grid, row by row\" src=\"{}\">\n<figcaption>",
      p.width * scale, p.width, p.height, grid.shown, size, html::png_uri(p));
  out += fmt::format(
      "The {} kernels of the first convolution, {}, each stretched to its own range; {}.",
      grid.shown < shape[0] ? fmt::format("first {} of {}", grid.shown, shape[0])
                            : fmt::format("{}", shape[0]),
      size,
      shape[1] == 3   ? "red, green and blue are the weights of the three colours"
      : shape[1] == 1 ? "light is a large weight, dark a small one"
                      : "grey is the mean over its input channels");
  if (grid.broken > 0) {
    out += fmt::format(" Plain grey: {} with values that are not numbers.",
                       html::count_of(grid.broken, "kernel", "kernels"));
  }
  out +=
      " What to look for: stripes and edges at every angle, coarse and fine, and, with colour, "
      "soft spots of one colour beside its opposite. Krizhevsky et al. (2012, figure 3) show "
      "them after 1.2 million photographs. A kernel that looks like noise has hardly moved from "
      "its random start: with few images or few epochs most still do. Two that look alike do "
      "the same work twice.</figcaption>\n</figure>\n";
  return out;
}

}  // namespace limulus::report

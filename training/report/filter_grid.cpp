#include "training/report/filter_grid.h"

#include <algorithm>
#include <cmath>

namespace limulus::report {
namespace {

constexpr std::int64_t kMostFilters = 512;

// How many columns: one and a half times the rows, and if possible a number that fills the grid.
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

}  // namespace

FilterGrid filter_grid(const std::vector<double>& w, const Shape& shape, std::int64_t columns) {
  const std::int64_t channels = shape[1], rows = shape[2], cols = shape[3];
  const bool colour = channels == 3;
  FilterGrid grid;
  grid.shown = std::min(shape[0], kMostFilters);
  if (columns <= 0) columns = columns_for(grid.shown);
  columns = std::min(columns, grid.shown);
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
        const double* filter = w.data() + k * channels * area;
        if (colour) {
          v = filter[c * area + i];
        } else {
          for (std::int64_t j = 0; j < channels; ++j) v += filter[j * area + i];
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

}  // namespace limulus::report

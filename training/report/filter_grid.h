#pragma once
// Filters as pictures, side by side.
#include <cstdint>
#include <vector>

#include "core/shape.h"
#include "pages/html.h"

namespace limulus::report {

struct FilterGrid {
  html::Picture picture;
  std::int64_t shown = 0,
               broken = 0;  // broken: with values that are not numbers, drawn in plain grey
};

// Filters w [K, C, fh, fw], row by row, the first 512 of them; 0 columns: as many as make it half
// as wide again as it is high. Each filter is stretched to its own range: w -> 255 (w - min) / (max
// - min). Three channels are red, green and blue; otherwise grey, the mean over the channels.
// Between them is nothing (transparent).
FilterGrid filter_grid(const std::vector<double>& w, const Shape& shape, std::int64_t columns = 0);

}  // namespace limulus::report

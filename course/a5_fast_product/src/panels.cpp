// 5.3 Panels: copies in the order in which they will be read
#include "fast_product.h"

namespace course {

void pack_a(const Product& p, std::int64_t i, std::int64_t rows, std::int64_t l, std::int64_t depth,
            float* panels) {
  // BEGIN SOLUTION 5.3
  for (std::int64_t top = 0; top < rows; top += kTileRows) {
    for (std::int64_t r = 0; r < kTileRows; ++r) {
      const bool there = top + r < rows;
      const float* from = p.a + (i + (there ? top + r : 0)) * p.lda + l;
      for (std::int64_t step = 0; step < depth; ++step)
        panels[step * kTileRows + r] = there ? from[step] : 0;
    }
    panels += depth * kTileRows;
  }
  // END SOLUTION
}

void pack_b(const Product& p, std::int64_t l, std::int64_t depth, std::int64_t j, std::int64_t cols,
            float* panels) {
  // BEGIN SOLUTION 5.3
  for (std::int64_t left = 0; left < cols; left += kTileCols) {
    const std::int64_t width = std::min(kTileCols, cols - left);
    for (std::int64_t step = 0; step < depth; ++step) {
      const float* from = p.b + (l + step) * p.ldb + j + left;
      float* to = panels + step * kTileCols;
      for (std::int64_t c = 0; c < width; ++c) to[c] = from[c];
      for (std::int64_t c = width; c < kTileCols; ++c) to[c] = 0;
    }
    panels += depth * kTileCols;
  }
  // END SOLUTION
}

}  // namespace course

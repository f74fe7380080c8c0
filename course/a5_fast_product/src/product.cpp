// 5.5 The fast product
#include "fast_product.h"

namespace course {

// BEGIN SOLUTION 5.5 removed
namespace {

// A panel of B is 256 x 16 floats, 16 KiB: half of a first cache of 32 KiB, and the tiles of all
// panels of A pass by it. A block of A is 96 x 256 floats, 96 KiB: in the second cache.
constexpr std::int64_t kDepth = 256, kBlockRows = 96;

std::int64_t rounded_up(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }

}  // namespace
// END SOLUTION

void multiply_fast(const Product& p) {
  // BEGIN SOLUTION 5.5
  if (p.k == 0) {
    for (std::int64_t i = 0; i < p.m; ++i)
      for (std::int64_t j = 0; j < p.n; ++j)
        p.c[i * p.ldc + j] = p.beta == 0 ? 0 : p.beta * p.c[i * p.ldc + j];
    return;
  }
  const std::int64_t most = std::min(kDepth, p.k);
  std::vector<float> b_panels(static_cast<std::size_t>(rounded_up(p.n, kTileCols) * most));
  std::vector<float> a_panels(static_cast<std::size_t>(kBlockRows * most));
  for (std::int64_t l = 0; l < p.k; l += kDepth) {
    const std::int64_t depth = std::min(kDepth, p.k - l);
    const float beta = l == 0 ? p.beta : 1;  // later passes add to what is there
    pack_b(p, l, depth, 0, p.n, b_panels.data());
    for (std::int64_t i = 0; i < p.m; i += kBlockRows) {
      const std::int64_t rows = std::min(kBlockRows, p.m - i);
      pack_a(p, i, rows, l, depth, a_panels.data());
      for (std::int64_t j = 0; j < p.n; j += kTileCols)
        for (std::int64_t r = 0; r < rows; r += kTileRows)
          multiply_tile(depth, a_panels.data() + r * depth, b_panels.data() + j * depth, p.alpha,
                        beta, p.c + (i + r) * p.ldc + j, p.ldc, std::min(kTileRows, rows - r),
                        std::min(kTileCols, p.n - j));
    }
  }
  // END SOLUTION
}

}  // namespace course

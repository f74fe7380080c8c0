// 5.4 A tile of C in registers
#include "fast_product.h"

namespace course {

void multiply_tile(std::int64_t depth, const float* a_panel, const float* b_panel, float alpha,
                   float beta, float* c, std::int64_t ldc, std::int64_t rows, std::int64_t cols) {
  // BEGIN SOLUTION 5.4
  // 6 x 2 sums, two vectors of B, one number of A in all lanes: 15 of the 16 registers. An array
  // can be in registers only where each index is a constant: so the loops over it are unrolled.
  Vec8 sums[kTileRows][2];
#pragma GCC unroll 6
  for (int r = 0; r < kTileRows; ++r) sums[r][0] = sums[r][1] = zero8();
  for (std::int64_t step = 0; step < depth; ++step) {
    const Vec8 left = load8(b_panel), right = load8(b_panel + 8);
#pragma GCC unroll 6
    for (int r = 0; r < kTileRows; ++r) {
      const Vec8 factor = broadcast8(a_panel + r);
      sums[r][0] = fma8(factor, left, sums[r][0]);
      sums[r][1] = fma8(factor, right, sums[r][1]);
    }
    a_panel += kTileRows;
    b_panel += kTileCols;
  }
  float whole[kTileRows * kTileCols];
#pragma GCC unroll 6
  for (int r = 0; r < kTileRows; ++r) {
    store8(whole + r * kTileCols, sums[r][0]);
    store8(whole + r * kTileCols + 8, sums[r][1]);
  }
  if (cols == kTileCols) {  // sixteen columns, a constant: vectors
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t s = 0; s < kTileCols; ++s)
        c[r * ldc + s] = alpha * whole[r * kTileCols + s] + (beta == 0 ? 0 : beta * c[r * ldc + s]);
    return;
  }
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t s = 0; s < cols; ++s) {
      const float before = beta == 0 ? 0 : beta * c[r * ldc + s];
      c[r * ldc + s] = alpha * whole[r * kTileCols + s] + before;
    }
  // END SOLUTION
}

}  // namespace course

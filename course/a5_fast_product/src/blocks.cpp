// 5.2 Blocks for the caches
#include "fast_product.h"

namespace course {

// BEGIN SOLUTION 5.2 removed
namespace {

// A block of B has 64 x 512 floats: 128 KiB, which stay in the second cache while all rows of A
// pass by. The piece of a row of C that they are added to, 2 KiB, stays in the first.
constexpr std::int64_t kBlockSteps = 64, kBlockCols = 512;

}  // namespace
// END SOLUTION

void multiply_blocked(const Product& p) {
  // BEGIN SOLUTION 5.2
  for (std::int64_t i = 0; i < p.m; ++i)
    for (std::int64_t j = 0; j < p.n; ++j)
      p.c[i * p.ldc + j] = p.beta == 0 ? 0 : p.beta * p.c[i * p.ldc + j];
  for (std::int64_t j0 = 0; j0 < p.n; j0 += kBlockCols) {
    const std::int64_t cols = std::min(kBlockCols, p.n - j0);
    for (std::int64_t l0 = 0; l0 < p.k; l0 += kBlockSteps) {
      const std::int64_t steps = std::min(kBlockSteps, p.k - l0);
      for (std::int64_t i = 0; i < p.m; ++i) {
        float* row = p.c + i * p.ldc + j0;
        for (std::int64_t l = l0; l < l0 + steps; ++l) {
          const float factor = p.alpha * p.a[i * p.lda + l];
          const float* from = p.b + l * p.ldb + j0;
          for (std::int64_t j = 0; j < cols; ++j) row[j] += factor * from[j];
        }
      }
    }
  }
  // END SOLUTION
}

}  // namespace course

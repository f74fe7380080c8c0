// 5.1 Three loops
#include "fast_product.h"

namespace course {

void multiply_loops(const Product& p) {
  // BEGIN SOLUTION 5.1
  for (std::int64_t i = 0; i < p.m; ++i) {
    float* row = p.c + i * p.ldc;
    for (std::int64_t j = 0; j < p.n; ++j) row[j] = p.beta == 0 ? 0 : p.beta * row[j];
    for (std::int64_t l = 0; l < p.k; ++l) {
      const float factor = p.alpha * p.a[i * p.lda + l];
      for (std::int64_t j = 0; j < p.n; ++j) row[j] += factor * p.b[l * p.ldb + j];
    }
  }
  // END SOLUTION
}

}  // namespace course

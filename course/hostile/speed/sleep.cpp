// Right, but asleep for three seconds: which costs no CPU time, and counts all the same.
#include <unistd.h>

#include "fast_product.h"

namespace course {

void multiply_fast(const Product& p) {
  sleep(3);
  for (std::int64_t i = 0; i < p.m; ++i) {
    float* row = p.c + i * p.ldc;
    std::fill_n(row, p.n, 0.0F);
    for (std::int64_t l = 0; l < p.k; ++l)
      for (std::int64_t j = 0; j < p.n; ++j) row[j] += p.a[i * p.lda + l] * p.b[l * p.ldb + j];
  }
}

}  // namespace course

// 4.3 Local response normalization across channels
#include <cmath>

#include "layers.h"

namespace course {

void lrn_forward(const LrnShape& s, In x, Out y) {
  // BEGIN SOLUTION 4.3
  const std::int64_t plane = s.h * s.w;
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t i = 0; i < s.c; ++i)
      for (std::int64_t p = 0; p < plane; ++p) {
        double squares = 0;
        for (std::int64_t j = i - s.size / 2; j < i - s.size / 2 + s.size; ++j) {
          if (j < 0 || j >= s.c) continue;
          const double xj = x[(n * s.c + j) * plane + p];
          squares += xj * xj;
        }
        const std::int64_t at = (n * s.c + i) * plane + p;
        y[at] = x[at] * std::pow(s.k + s.alpha * squares, -s.beta);
      }
  // END SOLUTION
}

}  // namespace course

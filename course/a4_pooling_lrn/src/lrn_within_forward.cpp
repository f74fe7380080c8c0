// 4.5 Local response normalization within a channel
#include <cmath>

#include "layers.h"

namespace course {

void lrn_within_forward(const LrnShape& s, In x, Out y) {
  // BEGIN SOLUTION 4.5
  const std::int64_t before = s.size / 2;
  for (std::int64_t plane = 0; plane < s.n * s.c; ++plane)
    for (std::int64_t r = 0; r < s.h; ++r)
      for (std::int64_t q = 0; q < s.w; ++q) {
        double squares = 0;
        for (std::int64_t i = r - before; i < r - before + s.size; ++i)
          for (std::int64_t j = q - before; j < q - before + s.size; ++j) {
            if (i < 0 || i >= s.h || j < 0 || j >= s.w) continue;
            const double xj = x[(plane * s.h + i) * s.w + j];
            squares += xj * xj;
          }
        const std::int64_t at = (plane * s.h + r) * s.w + q;
        y[at] = x[at] * std::pow(s.k + s.alpha * squares, -s.beta);
      }
  // END SOLUTION
}

}  // namespace course

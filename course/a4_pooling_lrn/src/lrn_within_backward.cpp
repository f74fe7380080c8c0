// 4.6 Its gradient
#include <cmath>

#include "layers.h"

namespace course {

void lrn_within_backward(const LrnShape& s, In x, In dy, Out dx) {
  // BEGIN SOLUTION 4.6
  const std::int64_t before = s.size / 2, after = s.size - 1 - before;
  std::vector<double> scale(static_cast<std::size_t>(s.h * s.w));
  for (std::int64_t plane = 0; plane < s.n * s.c; ++plane) {
    const std::int64_t first = plane * s.h * s.w;
    // f(place) for all places of rows r - up ... r + down and columns q - up ... q + down.
    const auto visit = [&](std::int64_t r, std::int64_t q, std::int64_t up, std::int64_t down,
                           auto f) {
      for (std::int64_t i = r - up; i <= r + down; ++i)
        for (std::int64_t j = q - up; j <= q + down; ++j)
          if (i >= 0 && i < s.h && j >= 0 && j < s.w) f(i * s.w + j);
    };
    for (std::int64_t r = 0; r < s.h; ++r)
      for (std::int64_t q = 0; q < s.w; ++q) {
        double squares = 0;
        visit(r, q, before, after, [&](std::int64_t j) { squares += x[first + j] * x[first + j]; });
        scale[r * s.w + q] = s.k + s.alpha * squares;
      }
    for (std::int64_t r = 0; r < s.h; ++r)
      for (std::int64_t q = 0; q < s.w; ++q) {
        const std::int64_t at = r * s.w + q;
        double sum = 0;
        visit(r, q, after, before, [&](std::int64_t j) {
          sum += dy[first + j] * x[first + j] * std::pow(scale[j], -s.beta - 1);
        });
        dx[first + at] = dy[first + at] * std::pow(scale[at], -s.beta) -
                         2 * s.alpha * s.beta * x[first + at] * sum;
      }
  }
  // END SOLUTION
}

}  // namespace course

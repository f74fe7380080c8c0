// 4.4 Its gradient
#include <cmath>

#include "layers.h"

namespace course {

void lrn_backward(const LrnShape& s, In x, In dy, Out dx) {
  // BEGIN SOLUTION 4.4
  const std::int64_t plane = s.h * s.w, before = s.size / 2, after = s.size - 1 - before;
  std::vector<double> scale(static_cast<std::size_t>(s.c));
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t p = 0; p < plane; ++p) {
      const auto at = [&](std::int64_t c) { return (n * s.c + c) * plane + p; };
      for (std::int64_t i = 0; i < s.c; ++i) {
        double squares = 0;
        for (std::int64_t j = i - before; j <= i + after; ++j)
          if (j >= 0 && j < s.c) squares += x[at(j)] * x[at(j)];
        scale[i] = s.k + s.alpha * squares;
      }
      for (std::int64_t i = 0; i < s.c; ++i) {
        double sum = 0;  // over the windows that hold i: j - before <= i <= j + after
        for (std::int64_t j = i - after; j <= i + before; ++j)
          if (j >= 0 && j < s.c) sum += dy[at(j)] * x[at(j)] * std::pow(scale[j], -s.beta - 1);
        dx[at(i)] = dy[at(i)] * std::pow(scale[i], -s.beta) - 2 * s.alpha * s.beta * x[at(i)] * sum;
      }
    }
  // END SOLUTION
}

}  // namespace course

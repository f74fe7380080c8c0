// 8.2 The order of a sum
// BEGIN SOLUTION 8.2 removed
#include <algorithm>

// END SOLUTION
#include "machines.h"

namespace course {

std::array<float, 3> order_matters(float x) {
  // BEGIN SOLUTION 8.2
  const float large = 0x1p26f * x;  // next to it, x is less than half of a last place
  return {large, -large, x};
  // END SOLUTION
}

void sum_in_order(std::int64_t rows, In x, Out y) {
  // BEGIN SOLUTION 8.2
  const std::size_t n = y.size();
  std::copy(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(n), y.begin());
  for (std::size_t row = 1; row < static_cast<std::size_t>(rows); ++row)
    for (std::size_t i = 0; i < n; ++i) y[i] += x[row * n + i];
  // END SOLUTION
}

void sum_tree(std::int64_t rows, In x, Out y) {
  // BEGIN SOLUTION 8.2
  if (rows == 1) {
    std::copy(x.begin(), x.end(), y.begin());
    return;
  }
  std::int64_t first = 1;
  while (2 * first < rows) first *= 2;
  const std::size_t cut = static_cast<std::size_t>(first) * y.size();
  std::vector<float> others(y.size());
  sum_tree(first, x.first(cut), y);
  sum_tree(rows - first, x.subspan(cut), others);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] += others[i];
  // END SOLUTION
}

}  // namespace course

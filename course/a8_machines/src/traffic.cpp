// 8.1 What crosses, and what it costs
// BEGIN SOLUTION 8.1 removed
#include <algorithm>

// END SOLUTION
#include "machines.h"

namespace course {

std::int64_t crossing(const Layer& layer, std::int64_t batch) {
  // BEGIN SOLUTION 8.1
  const std::int64_t half = layer.channels / 2;
  std::int64_t reach = half;  // channels of the other tower that each one reads
  if (layer.kind == Kind::kConvolution && layer.groups == 2) reach = 0;
  if (layer.kind == Kind::kNormalization) reach = std::min(half, layer.window / 2);
  return 2 * reach * layer.h * layer.w * batch;
  // END SOLUTION
}

Sent sent_by_gather(std::int64_t rank, std::int64_t ranks, std::int64_t n) {
  // BEGIN SOLUTION 8.1
  if (ranks == 1) return {0, 0};
  return rank == 0 ? Sent{ranks - 1, (ranks - 1) * n} : Sent{1, n};
  // END SOLUTION
}

Sent sent_by_ring(std::int64_t rank, std::int64_t ranks, std::int64_t n) {
  // BEGIN SOLUTION 8.1
  if (ranks == 1) return {0, 0};
  // Each part once to be added to, but for the one that it finishes; each part once when it is
  // finished, but for the one that its neighbour finishes.
  const auto size_of = [&](std::int64_t part) {
    return part_begin(part % ranks + 1, ranks, n) - part_begin(part % ranks, ranks, n);
  };
  return {2 * (ranks - 1), 2 * n - size_of(rank + 1) - size_of(rank + 2)};
  // END SOLUTION
}

Costs costs_of_cuts(std::int64_t parameters, std::int64_t inputs, std::int64_t batch,
                    std::int64_t ranks) {
  // BEGIN SOLUTION 8.1
  return {2 * (ranks - 1) * parameters, 2 * (ranks - 1) * inputs * batch};
  // END SOLUTION
}

}  // namespace course

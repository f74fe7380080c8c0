#include "distributed/tree_sum.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace limulus {

LeafRange leaves_of(int rank, int ranks, std::int64_t leaves) {
  return {leaves * rank / ranks, leaves * (rank + 1) / ranks};
}

// Goes down from the root to the node [a, b), if there is such a node.
bool are_siblings(std::int64_t leaves, std::int64_t a, std::int64_t m, std::int64_t b) {
  std::int64_t begin = 0, end = leaves;
  for (;;) {
    const std::int64_t middle = (begin + end) / 2;
    if (begin == a && end == b) return middle == m;
    if (b <= middle)
      end = middle;
    else if (a >= middle)
      begin = middle;
    else
      return false;
  }
}

std::vector<LeafRange> subtrees_of(LeafRange range, std::int64_t leaves) {
  TreeSum<char> sum(leaves, [](char&, const char&) {});
  for (std::int64_t i = range.begin; i < range.end; ++i) sum.push({i, i + 1}, 0);
  std::vector<LeafRange> ranges;
  for (const auto& partial : sum.partials()) ranges.push_back(partial.range);
  return ranges;
}

namespace {

using Floats = std::vector<float>;

// This rank's slice of every rank's partial sums: [rank][which of them].
std::vector<std::vector<Floats>> gather_slices(Communicator& ranks,
                                               const std::vector<std::vector<LeafRange>>& subtrees,
                                               const std::vector<std::span<const float>>& partials,
                                               const std::vector<std::size_t>& slices) {
  const std::size_t own = slices[static_cast<std::size_t>(ranks.rank())];
  std::size_t rounds = 0;
  for (const auto& of_rank : subtrees) rounds = std::max(rounds, of_rank.size());
  std::vector<std::vector<Floats>> received(subtrees.size());
  for (std::size_t round = 0; round < rounds; ++round) {  // mostly one
    const bool sends = round < partials.size();
    std::vector<std::size_t> sizes;
    for (const auto& of_rank : subtrees) sizes.push_back(round < of_rank.size() ? own : 0);
    Floats from(std::accumulate(sizes.begin(), sizes.end(), std::size_t{0}) / sizeof(float));
    ranks.all_to_all(sends ? std::as_bytes(partials[round]) : Bytes(),
                     sends ? slices : std::vector<std::size_t>(slices.size(), 0),
                     std::as_writable_bytes(std::span(from)), sizes);
    auto begin = from.begin();
    for (std::size_t r = 0; r < received.size(); ++r) {
      const auto end = begin + static_cast<std::ptrdiff_t>(sizes[r] / sizeof(float));
      if (round < subtrees[r].size()) received[r].emplace_back(begin, end);
      begin = end;
    }
  }
  return received;
}

}  // namespace

void tree_all_reduce(Communicator& ranks, std::int64_t leaves,
                     const std::vector<std::span<const float>>& partials, std::span<float> result) {
  std::vector<std::vector<LeafRange>> subtrees;  // of each rank
  std::vector<std::size_t> slices;               // in bytes
  for (int r = 0; r < ranks.size(); ++r) {
    subtrees.push_back(subtrees_of(leaves_of(r, ranks.size(), leaves), leaves));
    const LeafRange slice = leaves_of(r, ranks.size(), std::ssize(result));
    slices.push_back(static_cast<std::size_t>(slice.end - slice.begin) * sizeof(float));
  }
  auto received = gather_slices(ranks, subtrees, partials, slices);
  TreeSum<Floats> sum(leaves, [](Floats& a, const Floats& b) {
    for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  });
  for (std::size_t r = 0; r < received.size(); ++r)
    for (std::size_t k = 0; k < received[r].size(); ++k)
      sum.push(subtrees[r][k], std::move(received[r][k]));
  const Floats& mine = sum.partials().front().value;
  ranks.all_gather(std::as_bytes(std::span(mine)), std::as_writable_bytes(result), slices);
}

}  // namespace limulus

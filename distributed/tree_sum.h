#pragma once
// A sum whose order does not depend on who computes which part of it.
//
// Floating-point addition is not associative: (1e8 - 1e8) + 1 is 1, and -1e8 + (1e8 + 1) is 0 in
// f32. If each rank added up its own share and the shares were added then, another number of ranks
// would give other bits. So the order of additions is fixed before anybody computes. The terms
// ("leaves", numbered from 0) are those of a binary tree: the sum of leaves [a, b) is the sum of
// [a, m) plus the sum of [m, b), with m = floor((a + b) / 2). Six leaves:
//
//     0  1  2  3  4  5          rank 0 of two has the leaves 0, 1, 2, and needs nobody to form
//        \/       \/            their sum; the ranks meet in the last addition.
//      \ /      \ /
//       0-2      3-5            rank 0 of three has 0 and 1, which the tree does not add to each
//          \    /               other: it sends both.
//           0-5
//
// Ranks share the leaves in contiguous ranges. Each adds what it can (the largest whole subtrees of
// its range), sends these partial sums, and whoever adds them follows the same tree.
#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "distributed/communicator.h"

namespace limulus {

struct LeafRange {
  std::int64_t begin = 0, end = 0;
  bool operator==(const LeafRange&) const = default;
};

// The share of rank r out of `ranks` in so many things: shares differ by one at most.
LeafRange leaves_of(int rank, int ranks, std::int64_t leaves);

// Whether the tree over `leaves` adds [a, m) and [m, b) to each other.
bool are_siblings(std::int64_t leaves, std::int64_t a, std::int64_t m, std::int64_t b);

// The partial sums of a range, from left to right: its largest whole subtrees.
std::vector<LeafRange> subtrees_of(LeafRange range, std::int64_t leaves);

// Takes partial sums from left to right, and adds siblings as soon as both are there. So at most
// about log2(leaves) of them wait. `Value` is whatever stands for the numbers of a partial sum.
template <class Value>
class TreeSum {
 public:
  struct Partial {
    LeafRange range;
    Value value;
  };

  // `add` adds the second to the first.
  TreeSum(std::int64_t leaves, std::function<void(Value&, const Value&)> add)
      : leaves_(leaves), add_(std::move(add)) {}

  void push(LeafRange range, Value value) {
    partials_.push_back({range, std::move(value)});
    while (partials_.size() > 1) {
      Partial &left = partials_[partials_.size() - 2], &right = partials_.back();
      if (!are_siblings(leaves_, left.range.begin, right.range.begin, right.range.end)) return;
      add_(left.value, right.value);
      left.range.end = right.range.end;
      partials_.pop_back();
    }
  }
  std::vector<Partial>& partials() { return partials_; }

 private:
  std::int64_t leaves_;
  std::function<void(Value&, const Value&)> add_;
  std::vector<Partial> partials_;
};

// The sum over all leaves of all ranks, on every rank. `partials` are this rank's: subtrees_of its
// leaves_of, each with as many numbers as `result`.
//
// Rank r sums the r-th slice, [n r / R, n (r + 1) / R) of n numbers: it gets that slice of the
// others' partial sums, and gives the result to all. With one partial sum each, every rank sends
// (R - 1) slices twice: 2 n (R - 1) / R numbers, the least with which each can have a sum of all.
void tree_all_reduce(Communicator& ranks, std::int64_t leaves,
                     const std::vector<std::span<const float>>& partials, std::span<float> result);

}  // namespace limulus

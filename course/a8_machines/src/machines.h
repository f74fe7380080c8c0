#pragma once
// Assignment 8: what crosses between machines, and in which order numbers are added. This file is
// given; you write the .cpp files.
#include <array>

#include "rank.h"

namespace course {

// ---- 8.1, traffic.cpp: how many values, counted without computing any -----------------------

enum class Kind { kConvolution, kNormalization, kFullyConnected };
// A layer of a network that is cut into two towers: each holds half of the channels.
struct Layer {
  Kind kind = Kind::kConvolution;
  std::int64_t channels = 2, h = 1, w = 1;  // of its input, both towers together
  std::int64_t groups = 1;                  // of a convolution: 1 or 2
  std::int64_t window = 1;                  // of a normalization: channels, an odd number
};
// Values of the layer's input that go from one tower to the other, both directions together, for a
// batch of pictures.
std::int64_t crossing(const Layer& layer, std::int64_t batch);

struct Sent {
  std::int64_t messages = 0, values = 0;
};
// What one rank sends in an all-reduce of n values: by 8.3, and by the ring of 8.4.
Sent sent_by_gather(std::int64_t rank, std::int64_t ranks, std::int64_t n);
Sent sent_by_ring(std::int64_t rank, std::int64_t ranks, std::int64_t n);

struct Costs {
  std::int64_t pictures = 0;  // the layer's pictures are divided among the ranks
  std::int64_t outputs = 0;   // its outputs are
};
// What all ranks together send for one layer in one step, forward and backward, if it has this many
// parameters and, for each picture, inputs.
Costs costs_of_cuts(std::int64_t parameters, std::int64_t inputs, std::int64_t batch,
                    std::int64_t ranks);

// ---- 8.2, order.cpp -------------------------------------------------------------------------

// Three numbers {a, b, c} with (a + b) + c == x and a + (b + c) == 0. |x| is from 1e-30 to 1e30.
std::array<float, 3> order_matters(float x);
// x [rows, n]  ->  y [n]: the sum of the rows, from the first to the last.
void sum_in_order(std::int64_t rows, In x, Out y);
// The same in the order of a tree: the sum of the first rows, plus the sum of the others. The first
// ones are as many as the largest power of two that is smaller than `rows`.
void sum_tree(std::int64_t rows, In x, Out y);

// ---- 8.3, gather.cpp ------------------------------------------------------------------------

// Rank 0's values, to all.
void broadcast(Rank& me, Out values);
// The sum of all ranks' values, in the order of sum_tree, to all. Rank 0 adds.
void all_reduce_gather(Rank& me, Out values);

// ---- 8.4, parts.cpp -------------------------------------------------------------------------

// n values in as many parts as there are ranks: part p begins here, and ends where the next begins.
inline std::int64_t part_begin(std::int64_t p, std::int64_t ranks, std::int64_t n) {
  return p * n / ranks;
}
// Rank r receives of rank r - 1 and sends to rank r + 1 alone; the last one's next is rank 0.
void all_reduce_ring(Rank& me, Out values);
// Rank r adds part r, in the order of sum_tree.
void all_reduce_owners(Rank& me, Out values);

// ---- 8.5, border.cpp: between the two ranks of two towers -------------------------------------

// x [channels, plane] of this tower  ->  seen [channels + reach, plane]: with the nearest `reach`
// channels of the other tower. Rank 0 has the first channels of the whole.
void exchange(Rank& me, std::int64_t reach, std::int64_t plane, In x, Out seen);
// The gradient of what was seen  ->  the gradient of x.
void exchange_backward(Rank& me, std::int64_t reach, std::int64_t plane, In dseen, Out dx);

}  // namespace course

// Assignment 8, tasks 8.3 and 8.4: sums of all ranks' values, to the last bit, and what was sent.
#include <algorithm>

#include "judge_bits.h"
#include "machines.h"

namespace course {
namespace {

struct Problem {
  std::int64_t ranks, n;
};

Record make_call(Rng& rng, const char* call, const Problem& p) {
  Record r = named(call, std::to_string(p.ranks) + (p.ranks == 1 ? " rank, " : " ranks, ") +
                             std::to_string(p.n) + (p.n == 1 ? " value each" : " values each"));
  r.put("ranks", p.ranks);
  for (std::int64_t rank = 0; rank < p.ranks; ++rank)
    r.put(of_rank("x", rank), {p.n}, uneven(rng, p.n));
  return r;
}
std::vector<Record> make_calls(Rng& rng, const char* call, const std::vector<Problem>& problems) {
  std::vector<Record> calls;
  for (const Problem& p : problems) calls.push_back(make_call(rng, call, p));
  return calls;
}

std::vector<Record> make_broadcast(Rng& rng) {
  return make_calls(rng, "broadcast", {{2, between(rng, 5, 40)}, {1, 4}, {4, between(rng, 5, 40)}});
}
std::vector<Record> make_gather_two(Rng& rng) {
  return make_calls(rng, "all_reduce_gather", {{2, between(rng, 24, 40)}, {1, 4}, {2, 1}});
}
std::vector<Record> make_gather(Rng& rng) {
  return make_calls(rng, "all_reduce_gather",
                    {{3, between(rng, 24, 40)}, {4, between(rng, 24, 40)}});
}
template <bool ring, bool even>
std::vector<Record> make_parts(Rng& rng) {
  const char* call = ring ? "all_reduce_ring" : "all_reduce_owners";
  if (even)
    return make_calls(rng, call,
                      {{2, 2 * between(rng, 12, 20)},
                       {1, 4},
                       {3, 3 * between(rng, 8, 14)},
                       {4, 4 * between(rng, 8, 14)}});
  return make_calls(rng, call,
                    {{3, 3 * between(rng, 8, 14) + between(rng, 1, 2)},
                     {4, 4 * between(rng, 8, 14) + 3},
                     {4, 3},
                     {3, 1}});
}

// ---- what is right ---------------------------------------------------------------------------

std::vector<Floats> rows_of(const Record& in) {
  std::vector<Floats> rows;
  for (std::int64_t r = 0; r < in.integer("ranks"); ++r)
    rows.push_back(floats(in.doubles(of_rank("x", r))));
  return rows;
}

// Part p is added from rank p on.
Floats ring_sum(const std::vector<Floats>& rows) {
  const auto ranks = static_cast<std::int64_t>(rows.size()),
             n = static_cast<std::int64_t>(rows[0].size());
  Floats sum(rows[0].size());
  for (std::int64_t p = 0; p < ranks; ++p) {
    std::vector<Floats> turned = rows;
    std::rotate(turned.begin(), turned.begin() + p, turned.end());
    const Floats found = in_order(turned);
    for (std::int64_t i = part_begin(p, ranks, n); i < part_begin(p + 1, ranks, n); ++i)
      sum[static_cast<std::size_t>(i)] = found[static_cast<std::size_t>(i)];
  }
  return sum;
}

void check_all(const Record& in, const Record& out, const Floats& expected,
               const std::vector<Other>& others, const Traffic& traffic) {
  for (std::int64_t r = 0; r < traffic.ranks; ++r)
    compare_bits("rank " + std::to_string(r) + "'s sum", Shape(in.shape(of_rank("x", r))), expected,
                 out.doubles(of_rank("y", r)), others);
  compare_traffic(traffic, out);
}

void check_broadcast(const Record& in, const Record& out) {
  const std::int64_t ranks = in.integer("ranks");
  Traffic traffic(ranks);
  for (std::int64_t r = 1; r < ranks; ++r) traffic.add(0, r, in.shape("x@0")[0]);
  for (std::int64_t r = 0; r < ranks; ++r)
    compare_bits("rank " + std::to_string(r) + "'s values", Shape(in.shape("x@0")),
                 floats(in.doubles("x@0")), out.doubles(of_rank("y", r)));
  compare_traffic(traffic, out);
}

void check_gather(const Record& in, const Record& out) {
  const std::int64_t ranks = in.integer("ranks"), n = in.shape("x@0")[0];
  Traffic traffic(ranks);
  for (std::int64_t r = 1; r < ranks; ++r) traffic.add(r, 0, n), traffic.add(0, r, n);
  const std::vector<Floats> rows = rows_of(in);
  check_all(in, out, tree(rows),
            {{"a sum from the first rank to the last", in_order(rows)},
             {"a sum from the last rank to the first", in_order({rows.rbegin(), rows.rend()})}},
            traffic);
}

void check_ring(const Record& in, const Record& out) {
  const std::int64_t ranks = in.integer("ranks"), n = in.shape("x@0")[0];
  Traffic traffic(ranks);
  for (std::int64_t step = 0; step < 2 * (ranks - 1); ++step)
    for (std::int64_t r = 0; r < ranks; ++r) {
      const std::int64_t p = ((r - step) % ranks + ranks) % ranks;
      traffic.add(r, (r + 1) % ranks, part_begin(p + 1, ranks, n) - part_begin(p, ranks, n));
    }
  const std::vector<Floats> rows = rows_of(in);
  check_all(in, out, ring_sum(rows), {{"one device's sum, the tree's", tree(rows)}}, traffic);
}

void check_owners(const Record& in, const Record& out) {
  const std::int64_t ranks = in.integer("ranks"), n = in.shape("x@0")[0];
  Traffic traffic(ranks);
  const auto length = [&](std::int64_t p) {
    return part_begin(p + 1, ranks, n) - part_begin(p, ranks, n);
  };
  for (std::int64_t r = 0; r < ranks; ++r)
    for (std::int64_t s = 0; s < ranks; ++s)
      if (r != s) traffic.add(r, s, length(s)), traffic.add(r, s, length(r));
  const std::vector<Floats> rows = rows_of(in);
  check_all(
      in, out, tree(rows),
      {{"a ring's sum", ring_sum(rows)}, {"a sum from the first rank to the last", in_order(rows)}},
      traffic);
}

}  // namespace

std::vector<Case> reduce_cases() {
  return {{"broadcast", make_broadcast, check_broadcast},
          {"gather_two", make_gather_two, check_gather},
          {"gather_order", make_gather, check_gather},
          {"ring_even", make_parts<true, true>, check_ring},
          {"ring_uneven", make_parts<true, false>, check_ring},
          {"owners_even", make_parts<false, true>, check_owners},
          {"owners_uneven", make_parts<false, false>, check_owners}};
}

}  // namespace course

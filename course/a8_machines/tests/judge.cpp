// Assignment 8: counting what crosses, and the order of a sum.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>

#include "judge_bits.h"
#include "machines.h"

namespace course {

// ---- bits ------------------------------------------------------------------------------------

Doubles uneven(Rng& rng, std::int64_t count) {
  Doubles values = normal(rng, count);
  for (double& v : values)
    v = static_cast<float>(std::ldexp(v, static_cast<int>(between(rng, -6, 6))));
  return values;
}
Floats floats(const Doubles& values) { return {values.begin(), values.end()}; }
Doubles doubles(const Floats& values) { return {values.begin(), values.end()}; }
std::string of_rank(const std::string& name, std::int64_t rank) {
  return name + "@" + std::to_string(rank);
}

namespace {
std::string in_full(double value) {
  char text[40];
  std::snprintf(text, sizeof text, " (%a)", value);
  return written(value) + (std::isnan(value) ? "" : text);
}
}  // namespace

void compare_bits(const std::string& name, const Shape& shape, const Floats& expected,
                  const Doubles& got, const std::vector<Other>& others) {
  if (got.size() != expected.size())
    throw Wrong(name + " has " + std::to_string(got.size()) + " values; expected " + shape.str() +
                ": " + std::to_string(expected.size()));
  std::size_t first = expected.size(), count = 0;
  bool rounding = true;  // nothing but the last places differs
  for (std::size_t i = expected.size(); i-- > 0;) {
    const double e = expected[i];
    if (e == got[i]) continue;
    first = i, ++count;
    rounding = rounding && std::abs(e - got[i]) <= 1e-4 * std::max(1.0, std::abs(e));
  }
  if (count == 0) return;
  const std::string at =
      shape.rank() == 0 ? "" : written(limulus::index_of(static_cast<std::int64_t>(first), shape));
  std::string text = name + at + ": expected " + in_full(expected[first]) + ", got " +
                     in_full(got[first]) + "\n" + std::to_string(count) + " of " +
                     std::to_string(expected.size()) + " values of " + name + " " + shape.str() +
                     " differ; the above is the first";
  const auto known = std::find_if(others.begin(), others.end(),
                                  [&](const Other& o) { return doubles(o.values) == got; });
  if (known != others.end())
    text += "\ndiagnosis: these are the bits of " + known->name;
  else if (rounding)
    text += "\ndiagnosis: nothing but rounding differs, so numbers were added in another order";
  throw Wrong(text);
}

Traffic::Traffic(std::int64_t count)
    : ranks(count),
      values(static_cast<std::size_t>(count * count)),
      messages(static_cast<std::size_t>(count * count)) {}
void Traffic::add(std::int64_t from, std::int64_t to, std::int64_t length) {
  values[static_cast<std::size_t>(from * ranks + to)] += length;
  ++messages[static_cast<std::size_t>(from * ranks + to)];
}

void compare_traffic(const Traffic& expected, const Record& out) {
  const Integers &values = out.integers("values"), &messages = out.integers("messages");
  const auto told = [](std::int64_t count, std::int64_t length) {
    return std::to_string(length) + " values (" + std::to_string(4 * length) + " bytes) in " +
           std::to_string(count) + (count == 1 ? " message" : " messages");
  };
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t from = i / static_cast<std::size_t>(expected.ranks),
                      to = i % static_cast<std::size_t>(expected.ranks);
    if (values[i] != expected.values[i] || messages[i] != expected.messages[i])
      throw Wrong("the results are right, but not what was sent for them\nfrom rank " +
                  std::to_string(from) + " to rank " + std::to_string(to) + ": expected " +
                  told(expected.messages[i], expected.values[i]) + ", sent were " +
                  told(messages[i], values[i]));
  }
}

Record named(const char* call, const std::string& what) {
  Record r;
  r.put("call", std::string(call));
  r.put("what", call + (": " + what));
  return r;
}

Floats in_order(const std::vector<Floats>& rows) {
  Floats sum = rows.at(0);
  for (std::size_t row = 1; row < rows.size(); ++row)
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += rows[row][i];
  return sum;
}
Floats tree(const std::vector<Floats>& rows) {  // from the leaves up: neighbours, then pairs ...
  std::vector<Floats> sums = rows;
  for (std::size_t apart = 1; apart < sums.size(); apart *= 2)
    for (std::size_t row = 0; row + apart < sums.size(); row += 2 * apart)
      sums[row] = in_order({sums[row], sums[row + apart]});
  return sums.at(0);
}

namespace {

// ---- 8.1 -------------------------------------------------------------------------------------

std::vector<Record> make_crossing(Rng& rng) {
  std::vector<Record> calls;
  static const char* const kinds[] = {"convolution, groups 1", "convolution, groups 2",
                                      "normalization", "fully connected"};
  for (std::size_t i = 0; i < 9; ++i) {
    const std::int64_t channels = i == 8 ? 2 : 2 * between(rng, 4, 64);
    const std::int64_t kind = i == 8 ? 2 : static_cast<std::int64_t>(i % 4);
    const bool flat = kind == 3 && i > 4;  // behind another fully connected layer
    const std::int64_t h = flat ? 1 : between(rng, 2, 30), w = flat ? 1 : between(rng, 2, 30);
    const std::int64_t window = 2 * between(rng, 1, 3) + 1, batch = between(rng, 1, 128);
    Record r =
        named("crossing", std::string(kinds[kind]) + ", input " + written(Sizes{channels, h, w}) +
                              (kind == 2 ? ", window " + std::to_string(window) : "") + ", batch " +
                              std::to_string(batch));
    r.put("numbers", Integers{kind, channels, h, w, window, batch});
    calls.push_back(r);
  }
  return calls;
}
void check_crossing(const Record& in, const Record& out) {
  const Integers& v = in.integers("numbers");
  const std::int64_t each = v[2] * v[3] * v[5];
  std::int64_t expected = v[1] * each;
  if (v[0] == 1) expected = 0;
  if (v[0] == 2) expected = std::min(v[1], v[4] - 1) * each;
  compare("values that cross", expected, out.integer("values"));
}

// An all-reduce of n values, done on paper.
Traffic gathered(std::int64_t ranks, std::int64_t n) {
  Traffic t(ranks);
  for (std::int64_t r = 1; r < ranks; ++r) t.add(r, 0, n), t.add(0, r, n);
  return t;
}
Traffic on_a_ring(std::int64_t ranks, std::int64_t n) {
  Traffic t(ranks);
  for (std::int64_t step = 0; step < 2 * (ranks - 1); ++step)
    for (std::int64_t r = 0; r < ranks; ++r) {
      // Part r first, then the one that came in the step before; from step ranks - 1 on these are
      // finished sums.
      const std::int64_t p = ((r - step) % ranks + ranks) % ranks;
      t.add(r, (r + 1) % ranks, part_begin(p + 1, ranks, n) - part_begin(p, ranks, n));
    }
  return t;
}

template <bool ring>
std::vector<Record> make_sent(Rng& rng) {
  std::vector<Record> calls;
  for (const std::int64_t ranks : {1, 2, 3, 4, 5, 7}) {
    const std::int64_t n = ranks == 5 ? 3 : between(rng, 20, 999);
    for (std::int64_t r = 0; r < ranks; ++r) {
      calls.push_back(named(ring ? "sent_by_ring" : "sent_by_gather",
                            "rank " + std::to_string(r) + " of " + std::to_string(ranks) + ", " +
                                std::to_string(n) + " values"));
      calls.back().put("numbers", Integers{r, ranks, n});
    }
  }
  return calls;
}
template <bool ring>
void check_sent(const Record& in, const Record& out) {
  const Integers& v = in.integers("numbers");
  const Traffic t = ring ? on_a_ring(v[1], v[2]) : gathered(v[1], v[2]);
  std::int64_t messages = 0, values = 0;
  for (std::int64_t s = 0; s < v[1]; ++s) {
    messages += t.messages[static_cast<std::size_t>(v[0] * v[1] + s)];
    values += t.values[static_cast<std::size_t>(v[0] * v[1] + s)];
  }
  compare("messages", messages, out.integer("messages"));
  compare("values", values, out.integer("values"));
}

std::vector<Record> make_costs(Rng& rng) {
  std::vector<Record> calls;
  for (int i = 0; i < 6; ++i) {
    Integers v = {between(rng, 100, 40000000), between(rng, 10, 160000), between(rng, 1, 512),
                  between(rng, 1, 8)};
    if (i == 0) v = {885120, 43264, 128, 2};   // conv3
    if (i == 1) v = {37752832, 9216, 128, 2};  // FC6
    calls.push_back(named("costs_of_cuts", std::to_string(v[0]) + " parameters, " +
                                               std::to_string(v[1]) + " inputs, batch " +
                                               std::to_string(v[2]) + ", " + std::to_string(v[3]) +
                                               " ranks"));
    calls.back().put("numbers", v);
  }
  return calls;
}
void check_costs(const Record& in, const Record& out) {
  const Integers& v = in.integers("numbers");
  // Each rank needs from each other one: its gradients, or its inputs; and gives as much back.
  std::int64_t pictures = 0, outputs = 0;
  for (std::int64_t i = 1; i < v[3]; ++i) pictures += 2 * v[0], outputs += 2 * v[1] * v[2];
  compare("cut by pictures", pictures, out.integer("pictures"));
  compare("cut by outputs", outputs, out.integer("outputs"));
}

// ---- 8.2 -------------------------------------------------------------------------------------

std::vector<Record> make_order(Rng& rng) {
  std::vector<Record> calls;
  for (const int exponent : {0, 0, 90, -90, 60, -60}) {
    const auto x = static_cast<float>(std::ldexp(rng.uniform(1, 2), exponent)) *
                   (calls.size() % 2 == 1 ? -1.0f : 1.0f);
    calls.push_back(named("order_matters", "x " + written(x)));
    calls.back().put("x", {}, {calls.size() == 1 ? 1 : x});
  }
  return calls;
}
void check_order(const Record& in, const Record& out) {
  const Doubles& y = out.doubles("y");
  const float a = static_cast<float>(y.at(0)), b = static_cast<float>(y.at(1)),
              c = static_cast<float>(y.at(2));
  const float left = a + b, right = b + c;
  compare_bits("(a + b) + c", Shape{}, {static_cast<float>(in.number("x"))}, {left + c});
  compare_bits("a + (b + c)", Shape{}, {0}, {a + right});
}

std::vector<Record> make_sums(Rng& rng, const char* call, const Integers& all_rows) {
  std::vector<Record> calls;
  for (const std::int64_t rows : all_rows) {
    const std::int64_t n = rows == 1 ? 3 : between(rng, 24, 40);
    calls.push_back(named(call, "x " + written(Sizes{rows, n})));
    calls.back().put("x", {rows, n}, uneven(rng, rows * n));
  }
  return calls;
}
std::vector<Record> make_in_order(Rng& rng) {
  return make_sums(rng, "sum_in_order", {1, 2, 3, between(rng, 4, 20), 300});
}
std::vector<Record> make_tree(Rng& rng) { return make_sums(rng, "sum_tree", {1, 2, 4, 8, 64}); }
std::vector<Record> make_ragged(Rng& rng) {
  return make_sums(rng, "sum_tree", {3, 5, 6, 7, between(rng, 9, 15), between(rng, 17, 31), 100});
}

template <bool as_tree>
void check_sum(const Record& in, const Record& out) {
  const std::int64_t count = in.shape("x")[0], n = in.shape("x")[1];
  const Doubles& x = in.doubles("x");
  std::vector<Floats> rows;
  Floats precise;
  for (std::int64_t row = 0; row < count; ++row)
    rows.emplace_back(x.begin() + row * n, x.begin() + (row + 1) * n);
  for (std::int64_t i = 0; i < n; ++i) {
    double sum = 0;
    for (std::int64_t row = 0; row < count; ++row) sum += x[static_cast<std::size_t>(row * n + i)];
    precise.push_back(static_cast<float>(sum));
  }
  std::vector<Other> others = {
      {"a sum in double precision", precise},
      {"a sum from the last row to the first", in_order({rows.rbegin(), rows.rend()})}};
  if (as_tree) others.push_back({"a sum from the first row to the last", in_order(rows)});
  if (!as_tree) others.push_back({"the tree's sum", tree(rows)});
  compare_bits("y", Shape{n}, as_tree ? tree(rows) : in_order(rows), out.doubles("y"), others);
}

}  // namespace

const std::vector<Case>& cases() {
  static const std::vector<Case> all = [] {
    std::vector<Case> list = {{"crossing", make_crossing, check_crossing},
                              {"sent_gather", make_sent<false>, check_sent<false>},
                              {"sent_ring", make_sent<true>, check_sent<true>},
                              {"cuts", make_costs, check_costs},
                              {"order", make_order, check_order},
                              {"sum_order", make_in_order, check_sum<false>},
                              {"sum_tree", make_tree, check_sum<true>},
                              {"sum_ragged", make_ragged, check_sum<true>}};
    for (auto part : {reduce_cases(), tower_cases(), step_cases()})
      std::move(part.begin(), part.end(), std::back_inserter(list));
    return list;
  }();
  return all;
}

}  // namespace course

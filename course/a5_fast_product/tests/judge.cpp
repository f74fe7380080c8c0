// Assignment 5: products by class of shape, compared with the library's textbook loops in double
// precision (the backend "reference"); panels and tiles, with their definitions.
#include "judge.h"

#include <cmath>

#include "backends/registry.h"
#include "core/algebra.h"
#include "judge_speed.h"

namespace course {
namespace {

using namespace limulus;

// A single-precision sum of k terms differs from the exact one by rounding: with random signs by
// about sqrt(k) times 6e-8 of its size. This is some twenty times that.
double tolerance(std::int64_t k) { return 1e-6 * (2 + std::sqrt(static_cast<double>(k))); }

// Values that a float holds exactly.
Doubles floats(Rng& rng, std::int64_t count) {
  Doubles values = normal(rng, count);
  for (double& v : values) v = static_cast<double>(static_cast<float>(v));
  return values;
}

std::string number(double value) { return value == 0 ? "0" : written(value); }

// ---- products ---------------------------------------------------------------------------------

struct Sizes3 {
  std::int64_t m, n, k;
};

Record call(Rng& rng, const char* function, Sizes3 s, std::int64_t gap = 0, double alpha = 1,
            double beta = 0) {
  const auto stride = [&](std::int64_t cols) {
    return cols + (gap == 0 ? 0 : between(rng, 1, gap));
  };
  const Integers sizes = {s.m, s.n, s.k, stride(s.k), stride(s.n), stride(s.n)};
  Record r;
  r.put("call", std::string(function));
  r.put("what", std::string(function) + ": A [" + std::to_string(s.m) + ", " + std::to_string(s.k) +
                    "], B [" + std::to_string(s.k) + ", " + std::to_string(s.n) + "], lda " +
                    std::to_string(sizes[3]) + ", ldb " + std::to_string(sizes[4]) + ", ldc " +
                    std::to_string(sizes[5]) + ", alpha " + number(alpha) + ", beta " +
                    number(beta) + (beta == 0 ? " (C holds NaN)" : ""));
  r.put("sizes", sizes);
  r.put("a", {s.m, s.k}, floats(rng, s.m * s.k));
  r.put("b", {s.k, s.n}, floats(rng, s.k * s.n));
  if (beta != 0) r.put("c", {s.m, s.n}, floats(rng, s.m * s.n));
  r.put("alpha", {}, Doubles{alpha});
  r.put("beta", {}, Doubles{beta});
  return r;
}

using Calls = std::vector<Record>;

Calls plain(Rng& rng, const char* f) {
  return {call(rng, f, {6, 16, 8}), call(rng, f, {48, 64, 32}), call(rng, f, {96, 256, 128})};
}
// Sizes that nothing divides, from below a tile to beyond the blocks of most solutions.
Calls tails(Rng& rng, const char* f) {
  const auto odd = [&](std::int64_t low, std::int64_t high) {
    return 2 * between(rng, low, high) + 1;
  };
  return {call(rng, f, {odd(0, 2), odd(0, 7), odd(1, 8)}),
          call(rng, f, {odd(3, 20), odd(8, 20), odd(5, 30)}),
          call(rng, f, {odd(20, 60), odd(20, 60), odd(150, 260)}),
          call(rng, f, {odd(100, 140), odd(260, 300), odd(130, 150)}),
          call(rng, f, {odd(2, 10), odd(520, 600), odd(260, 300)})};
}
// One row, one column, one term; tall and wide.
Calls thin(Rng& rng, const char* f) {
  const auto some = [&](std::int64_t high) { return between(rng, 2, high); };
  return {call(rng, f, {1, some(60), some(60)}),
          call(rng, f, {some(60), 1, some(60)}),
          call(rng, f, {some(60), some(60), 1}),
          call(rng, f, {1, 1, some(900)}),
          call(rng, f, {400 + some(300), some(5), some(9)}),
          call(rng, f, {some(5), 600 + some(900), some(9)})};
}
Calls strides(Rng& rng, const char* f) {
  Calls calls;
  for (int i = 0; i < 4; ++i)
    calls.push_back(
        call(rng, f, {between(rng, 1, 30), between(rng, 1, 50), between(rng, 1, 40)}, 9));
  calls.push_back(
      call(rng, f, {between(rng, 90, 130), between(rng, 90, 130), between(rng, 260, 300)}, 9));
  return calls;
}
// alpha and beta; k beyond one pass of most solutions, so that beta may not count twice.
Calls scaled(Rng& rng, const char* f) {
  const auto s = [&] {
    return Sizes3{between(rng, 1, 40), between(rng, 1, 40), between(rng, 1, 40)};
  };
  return {call(rng, f, s(), 0, 0.5, 0), call(rng, f, s(), 0, 1, 1), call(rng, f, s(), 3, -2, 0.25),
          call(rng, f, s(), 0, 0, -1.5),
          call(rng, f, {between(rng, 7, 20), between(rng, 17, 40), between(rng, 700, 900)}, 2, 1.5,
               0.5)};
}
// No terms, no rows, no columns.
Calls empty(Rng& rng, const char* f) {
  const std::int64_t m = between(rng, 1, 9), n = between(rng, 1, 20), k = between(rng, 1, 9);
  return {call(rng, f, {m, n, 0}), call(rng, f, {m, n, 0}, 2, 3, -0.5), call(rng, f, {0, n, k}),
          call(rng, f, {m, 0, k}), call(rng, f, {0, 0, 0})};
}

// In double precision; the backend's products take no factors.
Doubles expected_product(const Record& in) {
  const Integers& s = in.integers("sizes");
  Doubles c(static_cast<std::size_t>(s[0] * s[1]));
  if (in.has("c"))
    for (std::size_t i = 0; i < c.size(); ++i) c[i] = in.number("beta") * in.doubles("c")[i];
  if (c.empty() || s[2] == 0) return c;
  const auto tensor = [](const Doubles& values, const Shape& shape) {
    return Tensor::from(values, shape, device("reference"));
  };
  const Doubles product =
      matmul(tensor(in.doubles("a"), {s[0], s[2]}), tensor(in.doubles("b"), {s[2], s[1]}))
          .to_vector<double>();
  for (std::size_t i = 0; i < c.size(); ++i) c[i] += in.number("alpha") * product[i];
  return c;
}

void compare_both(const std::string& name, const Shape& shape, const Doubles& expected,
                  const Record& out, double allowed) {
  for (const char* place : {"end", "begin"})
    compare(name, shape, expected, out.doubles(place), allowed);
}

void check_product(const Record& in, const Record& out) {
  const Integers& s = in.integers("sizes");
  compare_both("C", {s[0], s[1]}, expected_product(in), out, tolerance(s[2]));
}

// ---- panels -----------------------------------------------------------------------------------

// "block": rows and columns of the matrix, its stride, and of the block: top, rows, left, columns.
Record block(Rng& rng, bool of_a, std::int64_t rows, std::int64_t cols) {
  const std::int64_t top = between(rng, 0, 4), left = between(rng, 0, 4);
  const std::int64_t all_rows = top + rows + between(rng, 0, 3);
  const std::int64_t all_cols = left + cols + between(rng, 0, 3);
  const Integers s = {all_rows, all_cols, all_cols + between(rng, 0, 5), top, rows, left, cols};
  Record r;
  r.put("call", std::string(of_a ? "pack_a" : "pack_b"));
  r.put("what", r.text("call") + ": of a matrix [" + std::to_string(all_rows) + ", " +
                    std::to_string(all_cols) + "], rows " + std::to_string(s[2]) +
                    " apart, the block [" + std::to_string(rows) + ", " + std::to_string(cols) +
                    "] from [" + std::to_string(top) + ", " + std::to_string(left) + "] on");
  r.put("block", s);
  r.put("matrix", {all_rows, all_cols}, floats(rng, all_rows * all_cols));
  return r;
}

constexpr std::int64_t kTileRows = 6, kTileCols = 16;  // as in fast_product.h

template <bool of_a>
Calls whole_panels(Rng& rng) {
  Calls calls;
  for (std::int64_t panels = 1; panels <= 4; ++panels) {
    const std::int64_t depth = between(rng, 1, 40);
    calls.push_back(of_a ? block(rng, true, panels * kTileRows, depth)
                         : block(rng, false, depth, panels * kTileCols));
  }
  return calls;
}
template <bool of_a>
Calls cut_panels(Rng& rng) {
  Calls calls;
  for (std::int64_t panels = 0; panels <= 3; ++panels) {
    const std::int64_t depth = between(rng, 1, 40), tile = of_a ? kTileRows : kTileCols;
    const std::int64_t size = panels * tile + between(rng, 1, tile - 1);
    calls.push_back(of_a ? block(rng, true, size, depth) : block(rng, false, depth, size));
  }
  return calls;
}

void check_panels(const Record& in, const Record& out) {
  const Integers& s = in.integers("block");
  const bool of_a = in.text("call") == "pack_a";
  const std::int64_t height = of_a ? kTileRows : kTileCols, size = of_a ? s[4] : s[6];
  const std::int64_t depth = of_a ? s[6] : s[4], panels = (size + height - 1) / height;
  Doubles expected;
  for (std::int64_t q = 0; q < panels; ++q)
    for (std::int64_t step = 0; step < depth; ++step)
      for (std::int64_t r = 0; r < height; ++r) {
        const std::int64_t at = q * height + r;
        const std::int64_t row = s[3] + (of_a ? at : step), col = s[5] + (of_a ? step : at);
        expected.push_back(
            at < size ? in.doubles("matrix")[static_cast<std::size_t>(row * s[1] + col)] : 0);
      }
  compare_both("panel, step, value", {panels, depth, height}, expected, out, 0);
}

// ---- tiles ------------------------------------------------------------------------------------

Record tile(Rng& rng, std::int64_t depth, std::int64_t rows, std::int64_t cols, double alpha = 1,
            double beta = 0) {
  const Integers s = {depth, rows, cols, cols + between(rng, 0, 9)};
  Record r;
  r.put("call", std::string("multiply_tile"));
  r.put("what", "multiply_tile: depth " + std::to_string(depth) + ", " + std::to_string(rows) +
                    " x " + std::to_string(cols) + " of C, ldc " + std::to_string(s[3]) +
                    ", alpha " + number(alpha) + ", beta " + number(beta) +
                    (beta == 0 ? " (C holds NaN)" : ""));
  r.put("tile", s);
  r.put("a", {depth, kTileRows}, floats(rng, depth * kTileRows));
  r.put("b", {depth, kTileCols}, floats(rng, depth * kTileCols));
  if (beta != 0) r.put("c", {rows, cols}, floats(rng, rows * cols));
  r.put("alpha", {}, Doubles{alpha});
  r.put("beta", {}, Doubles{beta});
  return r;
}

Calls whole_tiles(Rng& rng) {
  return {tile(rng, 1, 6, 16), tile(rng, between(rng, 2, 60), 6, 16), tile(rng, 256, 6, 16)};
}
Calls cut_tiles(Rng& rng) {
  Calls calls = {tile(rng, 9, 1, 1), tile(rng, 9, 6, between(rng, 1, 7)), tile(rng, 9, 6, 8),
                 tile(rng, 9, between(rng, 1, 5), 16)};
  for (int i = 0; i < 4; ++i)
    calls.push_back(tile(rng, between(rng, 1, 60), between(rng, 1, 5), between(rng, 9, 15)));
  return calls;
}
Calls scaled_tiles(Rng& rng) {
  return {tile(rng, 20, 6, 16, 0.5, 0), tile(rng, 20, 6, 16, 1, 1), tile(rng, 20, 6, 16, -2, 0.25),
          tile(rng, 20, between(rng, 1, 5), between(rng, 1, 15), 1.5, -0.5)};
}
Calls shallow_tiles(Rng& rng) {
  return {tile(rng, 0, 6, 16), tile(rng, 0, 6, 16, 2, 0.5), tile(rng, 0, between(rng, 1, 5), 3),
          tile(rng, 1, between(rng, 1, 5), between(rng, 1, 15))};
}

void check_tile(const Record& in, const Record& out) {
  const Integers& s = in.integers("tile");
  Doubles expected;
  for (std::int64_t r = 0; r < s[1]; ++r)
    for (std::int64_t j = 0; j < s[2]; ++j) {
      double sum = 0;
      for (std::int64_t step = 0; step < s[0]; ++step)
        sum += in.doubles("a")[static_cast<std::size_t>(step * kTileRows + r)] *
               in.doubles("b")[static_cast<std::size_t>(step * kTileCols + j)];
      const double before =
          in.has("c") ? in.number("beta") * in.doubles("c")[static_cast<std::size_t>(r * s[2] + j)]
                      : 0;
      expected.push_back(in.number("alpha") * sum + before);
    }
  compare_both("C", {s[1], s[2]}, expected, out, tolerance(s[0]));
}

// A case for each class of shape.
template <char const* const& function>
void add_products(std::vector<Case>& all, const std::string& name) {
  const auto add = [&](const char* kind, auto make) {
    all.push_back({name + kind, make, check_product});
  };
  add(
      "_plain", +[](Rng& r) { return plain(r, function); });
  add(
      "_tails", +[](Rng& r) { return tails(r, function); });
  add(
      "_thin", +[](Rng& r) { return thin(r, function); });
  add(
      "_strides", +[](Rng& r) { return strides(r, function); });
  add(
      "_scaled", +[](Rng& r) { return scaled(r, function); });
  add(
      "_empty", +[](Rng& r) { return empty(r, function); });
}
constexpr const char *kLoops = "multiply_loops", *kBlocked = "multiply_blocked",
                     *kFast = "multiply_fast";

}  // namespace

const std::vector<Case>& cases() {
  static const std::vector<Case> all = [] {
    std::vector<Case> list = {{"pack_a_whole", whole_panels<true>, check_panels},
                              {"pack_a_tails", cut_panels<true>, check_panels},
                              {"pack_b_whole", whole_panels<false>, check_panels},
                              {"pack_b_tails", cut_panels<false>, check_panels},
                              {"tile_whole", whole_tiles, check_tile},
                              {"tile_tails", cut_tiles, check_tile},
                              {"tile_scaled", scaled_tiles, check_tile},
                              {"tile_shallow", shallow_tiles, check_tile}};
    add_products<kLoops>(list, "loops");
    add_products<kBlocked>(list, "blocked");
    add_products<kFast>(list, "fast");
    add_timed(list);
    return list;
  }();
  return all;
}

}  // namespace course

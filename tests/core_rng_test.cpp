// Sequences of random numbers: fixed for all time, well distributed, independent of each other.
#include "core/rng.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "backends/registry.h"
#include "core/error.h"

using namespace limulus;

TEST_CASE("the words are Philox's, in order") {
  Rng rng(42, 7);
  for (std::uint64_t block = 0; block < 3; ++block) {
    const PhiloxWords words = philox_block({42, 7}, block);
    for (const std::uint32_t w : words.v) CHECK(rng.word() == w);
  }
}

TEST_CASE("seed and stream each name another sequence") {
  std::set<std::uint32_t> first;
  for (const std::uint64_t seed : {0, 1, 2})
    for (const std::uint64_t stream : {0, 1, 2}) first.insert(Rng(seed, stream).word());
  CHECK(first.size() == 9);
}

TEST_CASE("stream_of tells purposes and counters apart") {
  std::set<std::uint64_t> streams;
  for (const char* purpose : {"weights", "dropout", "augment", "", "a", "aa"})
    for (std::uint64_t a = 0; a < 10; ++a)
      for (std::uint64_t b = 0; b < 10; ++b) streams.insert(stream_of(purpose, a, b));
  CHECK(streams.size() == 600);
  CHECK(stream_of("weights", 1, 2) == stream_of("weights", 1, 2));
}

TEST_CASE("many normal numbers at once are the next ones, from any point of the sequence on") {
  for (int words = 0; words < 6; ++words)
    for (int before = 0; before < 3; ++before)
      for (const std::size_t n : {0, 1, 2, 5, 8}) {
        CAPTURE(words);
        CAPTURE(before);
        CAPTURE(n);
        Rng one(5, 9), many(5, 9);
        for (Rng* rng : {&one, &many}) {
          for (int i = 0; i < words; ++i) rng->word();
          for (int i = 0; i < before; ++i) rng->normal();
        }
        std::vector<double> expected(n), got(n);
        for (double& v : expected) v = one.normal();
        many.normals(got);
        CHECK(got == expected);
        CHECK(many.normal() == one.normal());
        CHECK(many.normal() == one.normal());
        CHECK(many.word() == one.word());
      }
}

TEST_CASE("uniform covers [0, 1) evenly") {
  Rng rng(1);
  constexpr int n = 100000;
  double sum = 0, squares = 0;
  int below_tenth = 0;
  for (int i = 0; i < n; ++i) {
    const double u = rng.uniform();
    REQUIRE(u >= 0);
    REQUIRE(u < 1);
    sum += u;
    squares += u * u;
    below_tenth += u < 0.1;
  }
  CHECK(sum / n == doctest::Approx(0.5).epsilon(0.01));
  CHECK(squares / n == doctest::Approx(1.0 / 3).epsilon(0.01));
  CHECK(below_tenth == doctest::Approx(n / 10).epsilon(0.05));
  for (int i = 0; i < 100; ++i) {
    const double v = rng.uniform(-3, -2);
    CHECK(v >= -3);
    CHECK(v < -2);
  }
}

TEST_CASE("normal has mean 0, deviation 1, and the tails of a normal distribution") {
  Rng rng(2);
  constexpr int n = 100000;
  double sum = 0, squares = 0, cubes = 0, fourths = 0;
  int beyond_two = 0;
  for (int i = 0; i < n; ++i) {
    const double v = rng.normal();
    REQUIRE(std::isfinite(v));
    sum += v;
    squares += v * v;
    cubes += v * v * v;
    fourths += v * v * v * v;
    beyond_two += std::abs(v) > 2;
  }
  CHECK(std::abs(sum / n) < 0.02);
  CHECK(squares / n == doctest::Approx(1).epsilon(0.03));
  CHECK(std::abs(cubes / n) < 0.05);
  CHECK(fourths / n == doctest::Approx(3).epsilon(0.05));
  CHECK(beyond_two == doctest::Approx(0.0455 * n).epsilon(0.1));
}

TEST_CASE("below is even, and never reaches its bound") {
  Rng rng(3);
  int count[7] = {};
  for (int i = 0; i < 70000; ++i) ++count[rng.below(7)];
  for (const int c : count) CHECK(c == doctest::Approx(10000).epsilon(0.05));
  for (int i = 0; i < 10; ++i) CHECK(rng.below(1) == 0);
  const std::uint64_t large = (std::uint64_t{1} << 63) + 1;  // half of all words are drawn again
  for (int i = 0; i < 100; ++i) CHECK(rng.below(large) < large);
  CHECK_THROWS_AS(rng.below(0), ValueError);
}

TEST_CASE("fills are the same on every device, and in both types up to rounding") {
  const auto filled = [](DType dtype, Backend& backend) {
    Tensor t = Tensor::empty({101}, dtype, backend);
    t.set_requires_grad();  // weights are
    Rng rng(4, stream_of("weights"));
    fill_normal(t, 1, 0.5, rng);
    return t.to_doubles();
  };
  const std::vector<double> wanted = filled(DType::f64, device("reference"));
  for (const DeviceInfo& info : list_devices()) {
    CHECK(filled(DType::f64, device(info.name)) == wanted);
    const std::vector<double> narrow = filled(DType::f32, device(info.name));
    for (std::size_t i = 0; i < wanted.size(); ++i)
      CHECK(narrow[i] == static_cast<double>(static_cast<float>(wanted[i])));
  }
  Tensor labels = Tensor::zeros({3}, DType::i64, device("reference"));
  Rng rng(4);
  CHECK_THROWS_AS(fill_uniform(labels, 0, 1, rng), DTypeError);
}

TEST_CASE("fill_uniform stays inside its bounds") {
  Tensor t = Tensor::empty({1000}, DType::f64, device("reference"));
  Rng rng(5);
  fill_uniform(t, -0.25, 0.5, rng);
  const std::vector<double> v = t.to_doubles();
  CHECK(*std::min_element(v.begin(), v.end()) >= -0.25);
  CHECK(*std::max_element(v.begin(), v.end()) < 0.5);
}

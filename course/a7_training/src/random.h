#pragma once
// Random numbers that are the same on every machine: Philox4x32-10 (Salmon and others, 2011), as in
// the library. A key and a counter go in, four random words come out. This file is given.
#include <cmath>
#include <cstdint>
#include <numbers>
#include <utility>
#include <vector>

namespace course {

class Random {
 public:
  // A sequence has two names: the seed of a run, and what the numbers are for.
  explicit Random(std::uint64_t seed, std::uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  std::uint32_t word() {  // uniform in [0, 2^32)
    if (drawn_ % 4 == 0) next_block();
    return block_[drawn_++ % 4];
  }
  double uniform() {  // in [0, 1)
    const std::uint64_t high = word() >> 5, low = word() >> 6;
    return static_cast<double>((high << 26) | low) * 0x1p-53;
  }
  double normal() {  // mean 0, standard deviation 1 (Box and Muller 1958)
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }
  std::int64_t below(std::int64_t n) {  // one of 0, 1, ..., n - 1, each as likely as the others
    return static_cast<std::int64_t>(uniform() * static_cast<double>(n));
  }
  std::vector<std::int64_t> permutation(std::int64_t n) {  // 0 ... n - 1 in a random order
    std::vector<std::int64_t> order(static_cast<std::size_t>(n));
    for (std::int64_t i = 0; i < n; ++i) order[static_cast<std::size_t>(i)] = i;
    for (std::int64_t i = n - 1; i > 0; --i)
      std::swap(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(below(i + 1))]);
    return order;
  }

 private:
  void next_block() {
    const std::uint64_t number = drawn_ / 4;
    std::uint32_t c[4] = {low_half(number), high_half(number), low_half(stream_),
                          high_half(stream_)};
    std::uint32_t k0 = low_half(seed_), k1 = high_half(seed_);
    for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
      const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c[0];
      const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * c[2];
      const std::uint32_t a = high_half(p1) ^ c[1] ^ k0, b = high_half(p0) ^ c[3] ^ k1;
      c[0] = a, c[1] = low_half(p1), c[2] = b, c[3] = low_half(p0);
    }
    for (int i = 0; i < 4; ++i) block_[i] = c[i];
  }
  static std::uint32_t low_half(std::uint64_t v) { return static_cast<std::uint32_t>(v); }
  static std::uint32_t high_half(std::uint64_t v) { return static_cast<std::uint32_t>(v >> 32); }

  std::uint64_t seed_, stream_, drawn_ = 0;
  std::uint32_t block_[4] = {};
};

}  // namespace course

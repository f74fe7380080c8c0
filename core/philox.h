#pragma once
// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", 2011).
//
// A counter goes in, four random words come out, and nothing is remembered in between: the i-th
// number of a stream can be computed by any thread, on any device, in any order, and is the same.
// That is what makes dropout masks equal on every backend and for every number of threads.
//
// The functions have internal linkage on purpose: this header is included by kernel files that are
// compiled once per instruction set, and their code must not be shared between them.
#include <cstdint>

namespace limulus {

struct PhiloxKey {           // names one sequence of numbers
  std::uint64_t seed = 0;    // the run
  std::uint64_t stream = 0;  // the purpose and moment in it: a layer at a step, an image ...
};

struct PhiloxWords {
  std::uint32_t v[4];
};

// Ten rounds on counter c[0..3] with key k0, k1. Each round is two 32 x 32 -> 64 bit products whose
// halves are exchanged and mixed with the key; the key is raised by a constant between rounds.
static inline PhiloxWords philox4x32(PhiloxWords c, std::uint32_t k0, std::uint32_t k1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c.v[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * c.v[2];
    const std::uint32_t a = static_cast<std::uint32_t>(p1 >> 32) ^ c.v[1] ^ k0;
    const std::uint32_t b = static_cast<std::uint32_t>(p0 >> 32) ^ c.v[3] ^ k1;
    c = PhiloxWords{{a, static_cast<std::uint32_t>(p1), b, static_cast<std::uint32_t>(p0)}};
    k0 += 0x9E3779B9u;  // the golden ratio
    k1 += 0xBB67AE85u;  // sqrt(3) - 1
  }
  return c;
}

// Words 4 block .. 4 block + 3 of the sequence named by `key`: the counter is (block, stream).
static inline PhiloxWords philox_block(PhiloxKey key, std::uint64_t block) {
  const PhiloxWords counter = {
      {static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32),
       static_cast<std::uint32_t>(key.stream), static_cast<std::uint32_t>(key.stream >> 32)}};
  return philox4x32(counter, static_cast<std::uint32_t>(key.seed),
                    static_cast<std::uint32_t>(key.seed >> 32));
}

// Dropout keeps an element when its word is at or above this threshold: probability 1 - p exactly,
// up to 2^-32. Requires 0 <= p < 1.
static inline std::uint32_t dropout_threshold(double p) {
  return static_cast<std::uint32_t>(p * 4294967296.0);
}

}  // namespace limulus

// Philox4x32-10 against the known answers published with Random123, and how sequences are laid out.
#include "core/philox.h"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <set>

using namespace limulus;

namespace {

using Words = std::array<std::uint32_t, 4>;

Words philox(Words c, std::uint32_t k0, std::uint32_t k1) {
  const PhiloxWords out = philox4x32({{c[0], c[1], c[2], c[3]}}, k0, k1);
  return {out.v[0], out.v[1], out.v[2], out.v[3]};
}

Words block(PhiloxKey key, std::uint64_t index) {
  const PhiloxWords out = philox_block(key, index);
  return {out.v[0], out.v[1], out.v[2], out.v[3]};
}

}  // namespace

TEST_CASE("known answers of Random123 (kat_vectors, philox4x32 10)") {
  CHECK(philox({0, 0, 0, 0}, 0, 0) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  const std::uint32_t ones = 0xffffffff;
  CHECK(philox({ones, ones, ones, ones}, ones, ones) ==
        Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  // the digits of pi
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a block is (index, stream) under the key seed, low words first") {
  const PhiloxKey key = {0x299f31d0a4093822, 0x0370734413198a2e};
  CHECK(block(key, 0x85a308d3243f6a88) == Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("seed, stream and index each name other numbers") {
  std::set<Words> seen;
  for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 32})
    for (const std::uint64_t stream : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 32})
      for (const std::uint64_t i : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 32})
        seen.insert(block({seed, stream}, i));
  CHECK(seen.size() == 27);
}

TEST_CASE("dropout's threshold is p in 32 bits") {
  CHECK(dropout_threshold(0) == 0);  // every word is at or above it: nothing is dropped
  CHECK(dropout_threshold(0.5) == 0x80000000);
  CHECK(dropout_threshold(0.25) == 0x40000000);
  CHECK(dropout_threshold(1 - 0x1p-32) == 0xffffffff);
}

#pragma once
// Products and sums of sizes, which people choose and files state, so that they may be of any size.
// What does not fit in 63 bits becomes `uncountable` and stays it; printed, it reads "more than
// ..." (layers/walk.h). A size never wraps around to a small or negative number.
#include <cstdint>
#include <limits>

namespace limulus {

inline constexpr std::int64_t uncountable = std::numeric_limits<std::int64_t>::max();

// Of numbers >= 0.
constexpr std::int64_t size_product(std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  return __builtin_mul_overflow(a, b, &result) ? uncountable : result;
}
constexpr std::int64_t size_sum(std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  return __builtin_add_overflow(a, b, &result) ? uncountable : result;
}

}  // namespace limulus

#pragma once
// For tests of the reference backend: the backend, and a comparison up to rounding.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include "backends/reference/reference_backend.h"

namespace limulus {

inline ReferenceBackend& reference() {
  static ReferenceBackend backend;
  return backend;
}

inline constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
inline constexpr double infinity = std::numeric_limits<double>::infinity();

// Equal up to rounding in T; NaN equals NaN.
template <class T>
void check_equal(const std::vector<T>& got, const std::vector<std::type_identity_t<T>>& expected) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    CAPTURE(i);
    if (std::isnan(expected[i])) {
      CHECK(std::isnan(got[i]));
    } else if (std::isinf(expected[i])) {
      CHECK(got[i] == expected[i]);
    } else {
      CHECK(std::abs(got[i] - expected[i]) <=
            8 * std::numeric_limits<T>::epsilon() * std::max<T>(1, std::abs(expected[i])));
    }
  }
}

}  // namespace limulus

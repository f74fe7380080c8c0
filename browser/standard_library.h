#pragma once
// What C++20 has and emscripten's standard library of 2022 (libc++ 13, in Debian 12) has not yet.
// Included before every source (CMakeLists.txt).
#include <version>
#ifndef __cpp_lib_bit_cast
#include <cstring>
#include <type_traits>

namespace std {

template <class To, class From>
constexpr To bit_cast(const From& from) noexcept {
  static_assert(sizeof(To) == sizeof(From) && is_trivially_copyable_v<From>);
  return __builtin_bit_cast(To, from);
}

}  // namespace std
#endif

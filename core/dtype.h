#pragma once
// The element types of a tensor: two for arithmetic, one for labels, one for indices that kernels
// keep for their own backward pass, and one in which weights can be stored for inference.
#include <bit>
#include <cstddef>
#include <cstdint>
#include <iosfwd>

namespace limulus {

enum class DType : std::uint8_t { f32, f64, i64, i32, bf16 };

std::size_t size_of(DType dtype);  // bytes of one element: 4, 8, 8, 4, 2
inline std::size_t bytes_of(DType dtype, std::int64_t elements) {
  return static_cast<std::size_t>(elements) * size_of(dtype);
}
const char* name_of(DType dtype);  // "f32", "f64", "i64", "i32", "bf16"
std::ostream& operator<<(std::ostream& out, DType dtype);

// A bfloat16: the upper half of a float, so the range of floats with 8 significant bits instead of
// 24. Nothing is computed in it; it is widened when it is read (exact).
struct Bf16 {
  std::uint16_t bits;
};
inline float widen(Bf16 x) { return std::bit_cast<float>(std::uint32_t{x.bits} << 16); }
// To the nearest, and of two that are equally near to the even one. The lower half decides: adding
// just under half of the last place that stays (or half, where that place is odd) carries into it
// when it must. What is larger than the largest becomes infinite, and NaN stays NaN.
inline Bf16 round_to_bf16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if (x != x) return {static_cast<std::uint16_t>(bits >> 16 | 0x40u)};
  return {static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16)};
}

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::f64;
};
template <>
struct DTypeOf<std::int64_t> {
  static constexpr DType value = DType::i64;
};
template <>
struct DTypeOf<std::int32_t> {
  static constexpr DType value = DType::i32;
};
template <>
struct DTypeOf<Bf16> {
  static constexpr DType value = DType::bf16;
};
template <class T>
inline constexpr DType dtype_of = DTypeOf<T>::value;
template <class T>  // whether a tensor can hold them
inline constexpr bool is_element = requires {
  DTypeOf<T>::value;
};

}  // namespace limulus

#pragma once
// The element types of a tensor: two for arithmetic, one for labels, one for indices that kernels
// keep for their own backward pass.
#include <cstddef>
#include <cstdint>

namespace limulus {

enum class DType : std::uint8_t { f32, f64, i64, i32 };

std::size_t size_of(DType dtype);  // bytes of one element: 4, 8, 8, 4
const char* name_of(DType dtype);  // "f32", "f64", "i64", "i32"

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
template <class T>
inline constexpr DType dtype_of = DTypeOf<T>::value;

}  // namespace limulus

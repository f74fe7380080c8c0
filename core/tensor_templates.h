#pragma once
// The templates of core/tensor.h: what values are taken, and what is refused in a sentence of the
// compiler (tests/mistakes has one of each).
#include "core/tensor.h"

namespace limulus {

template <class T>
constexpr bool Tensor::check_element() {
  static_assert(
      is_element<T>,
      "a tensor holds float, double, std::int64_t (labels), std::int32_t or Bf16: convert "
      "the values to one of these, std::vector<float> for one");
  return is_element<T>;
}

template <class T>
Tensor Tensor::from(std::initializer_list<T> values, const Shape& shape, Backend& backend) {
  constexpr bool said = !std::is_same_v<T, int>;
  static_assert(said,
                "whole numbers in braces do not say what a tensor should hold: write "
                "Tensor::from<float>({1, 2, 3}, ...), or <double>, or <std::int64_t> for labels");
  if constexpr (said && check_element<T>())
    return from_host(values.begin(), static_cast<std::int64_t>(values.size()), dtype_of<T>, shape,
                     backend);
  else
    return {};
}

template <class T>
Tensor Tensor::from(std::initializer_list<std::initializer_list<T>> /*rows*/,
                    const Shape& /*shape*/, Backend& /*backend*/) {
  static_assert(!sizeof(T),
                "values are one list, row after row, and the shape says where rows end: write "
                "Tensor::from<float>({1, 2, 3, 4}, {2, 2}, ...)");
  return {};
}

template <class Values>
requires(!is_element<Values>) Tensor Tensor::from(const Values& values, const Shape& shape,
                                                  Backend& backend) {
  constexpr bool contiguous = requires {
    std::data(values);
    std::size(values);
  };
  static_assert(contiguous,
                "Tensor::from takes values side by side in memory: a std::vector, std::array, "
                "std::span or array of float, double or std::int64_t");
  if constexpr (contiguous) {
    using T = std::remove_cvref_t<decltype(*std::data(values))>;
    if constexpr (check_element<T>())
      return from_host(std::data(values), static_cast<std::int64_t>(std::size(values)), dtype_of<T>,
                       shape, backend);
  }
  return {};
}

template <class T>
std::span<const T> Tensor::values() const&& {
  static_assert(
      !sizeof(T),
      "this tensor is gone at the end of the line, and its memory with it: give it a name, "
      "Tensor y = ...; y.values<float>(), or copy the values with to_vector<float>()");
  return {};
}

template <class T>
std::span<T> Tensor::mutable_values() && {
  static_assert(
      !sizeof(T),
      "this tensor is gone at the end of the line, and its memory with it: give it a name, "
      "Tensor y = ...; y.mutable_values<float>()");
  return {};
}

}  // namespace limulus

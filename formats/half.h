#pragma once
// The two 16-bit floating-point formats that published weights come in, widened to float: exact.
#include <bit>
#include <cstdint>

namespace limulus {

// bfloat16 is the upper half of a float.
inline float float_from_bfloat16(std::uint16_t bits) {
  return std::bit_cast<float>(std::uint32_t{bits} << 16);
}

// IEEE half: 1 sign bit, 5 of exponent (bias 15), 10 of fraction.
inline float float_from_half(std::uint16_t bits) {
  const std::uint32_t sign = std::uint32_t{bits & 0x8000u} << 16;
  const std::uint32_t exponent = (bits >> 10) & 31u;
  const std::uint32_t fraction = bits & 1023u;
  if (exponent == 0) {  // zero and subnormal: fraction x 2^-24
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
  }
  const std::uint32_t widened = exponent == 31 ? 255u : exponent - 15u + 127u;
  return std::bit_cast<float>(sign | widened << 23 | fraction << 13);
}

}  // namespace limulus

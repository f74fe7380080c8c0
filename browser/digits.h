#pragma once
// Handwritten digits as MNIST has them: 28 x 28, white ink on black, 0 to 255.
#include <cstdint>
#include <span>
#include <vector>

namespace limulus::browser {

constexpr std::int64_t digit_side = 28;

// A drawing of side x side as MNIST's digits were prepared: what was drawn, without the margin, so
// scaled that its longer side has 20 pixels, each the mean of what it covers, then moved so that
// the ink's centre of mass is in the middle of 28 x 28. Without ink: all 0.
std::vector<double> centred(std::span<const std::uint8_t> drawing, std::int64_t side);

// The contents of IDX files. FileError where these are no images of 28 x 28, or no labels from 0 to
// 9. The spans point into `file`.
std::span<const std::uint8_t> idx_images(std::span<const std::uint8_t> file);
std::span<const std::uint8_t> idx_labels(std::span<const std::uint8_t> file);

}  // namespace limulus::browser

#pragma once
// A picture as pixels: what photographs are decoded into, and what a page shows.
#include <cstddef>
#include <cstdint>
#include <vector>

namespace limulus {

struct Image {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> rgb;  // [height, width, 3]

  std::uint8_t* pixel(int x, int y) {
    return rgb.data() + 3 * (static_cast<std::size_t>(y) * width + x);
  }
  const std::uint8_t* pixel(int x, int y) const {
    return rgb.data() + 3 * (static_cast<std::size_t>(y) * width + x);
  }
};

}  // namespace limulus

#include "training/data/orientation.h"

#include <cstddef>
#include <utility>

namespace limulus {

// TIFF: "II*\0" or "MM\0*" tells the byte order; then where the first directory is; there a count,
// and entries of 12 bytes: tag, type, number of values, and the value itself where it is short.
int exif_orientation(std::span<const std::uint8_t> tiff) {
  constexpr std::uint32_t kOrientation = 0x0112, kShort = 3, kLong = 4;
  if (tiff.size() < 8 || tiff[0] != tiff[1] || (tiff[0] != 'I' && tiff[0] != 'M')) return 1;
  const bool little = tiff[0] == 'I';
  const auto number = [&](std::size_t at,
                          std::size_t bytes) {  // within tiff: its callers check that
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i)
      value = value << 8 | tiff[at + (little ? bytes - 1 - i : i)];
    return value;
  };
  if (number(2, 2) != 42) return 1;
  const std::size_t directory = number(4, 4);
  if (directory > tiff.size() - 2) return 1;
  const std::size_t entries = number(directory, 2);
  for (std::size_t e = 0; e < entries; ++e) {
    const std::size_t at = directory + 2 + 12 * e;
    if (at + 12 > tiff.size()) return 1;
    const std::uint32_t type = number(at + 2, 2);
    if (number(at, 2) != kOrientation) continue;
    if ((type != kShort && type != kLong) || number(at + 4, 4) != 1) return 1;
    const std::uint32_t value = number(at + 8, type == kShort ? 2 : 4);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

Image upright(Image image, int orientation) {
  if (orientation < 2 || orientation > 8) return image;
  // Where the pixel (x, y) of the result lies in the stored picture: at which corner (0, 0) is, and
  // how many pixels further on the next one to the right and the next one below are.
  const std::ptrdiff_t w = image.width, h = image.height, right = 1, down = w;
  const std::ptrdiff_t last_column = w - 1, last_row = (h - 1) * w;
  const struct {
    std::ptrdiff_t corner, dx, dy;
  } ways[] = {{last_column, -right, down},              // 2
              {last_column + last_row, -right, -down},  // 3
              {last_row, right, -down},                 // 4
              {0, down, right},                         // 5
              {last_row, -down, right},                 // 6
              {last_column + last_row, -down, -right},  // 7
              {last_column, down, -right}};             // 8
  const auto [corner, dx, dy] = ways[orientation - 2];
  Image out{image.width, image.height, {}};
  if (orientation >= 5) std::swap(out.width, out.height);
  out.rgb.resize(image.rgb.size());
  std::uint8_t* to = out.rgb.data();
  for (int y = 0; y < out.height; ++y) {
    const std::uint8_t* from = image.rgb.data() + 3 * (corner + y * dy);
    for (int x = 0; x < out.width; ++x, to += 3, from += 3 * dx) {
      to[0] = from[0];
      to[1] = from[1];
      to[2] = from[2];
    }
  }
  return out;
}

}  // namespace limulus

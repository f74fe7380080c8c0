#pragma once
// Pixels as the bytes of a PNG or JPEG file.
#include <cstdint>
#include <span>
#include <vector>

#include "pages/pixels.h"

namespace limulus {

// `values` is [height, width, channels], with 1 (grey), 3 (RGB) or, for PNG, 4 (RGBA) channels.
// ValueError when their number is another.
std::vector<std::uint8_t> encode_png(std::span<const std::uint8_t> values, int width, int height,
                                     int channels);
std::vector<std::uint8_t> encode_jpeg(std::span<const std::uint8_t> values, int width, int height,
                                      int channels, int quality = 88);

inline std::vector<std::uint8_t> encode_png(const Image& image) {
  return encode_png(image.rgb, image.width, image.height, 3);
}

}  // namespace limulus

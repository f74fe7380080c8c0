#pragma once
// Photographs as bytes: decoding, and the two things that are done to their geometry.
#include <cstdint>
#include <span>
#include <string>
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

// An image larger than this is refused before a byte of it is decoded.
inline constexpr std::int64_t kMaxPixels = 100'000'000;

// Decodes a JPEG or PNG; which of the two is told by the bytes, never by the name. `name` is for
// messages. Everything becomes 8-bit RGB:
//   grey         the value three times
//   transparent  blended on white, as a viewer shows it on paper
//   16-bit PNG   the upper 8 bits
//   CMYK JPEG    Adobe's kind (CMYK or YCCK, inverted), converted by the usual product; one without
//                Adobe's marker is refused
//   animated PNG the default image
//   turned       upright, as EXIF's orientation says (JPEG, and PNG's eXIf; training/orientation.h)
// Colour profiles and a PNG's gamma are not applied. FileError, naming the file, for anything else,
// for a file of which a part is missing or damaged (training/image_check.h), and where memory ends.
// The verdict is the same for every short_side and with either decoder.
//
// short_side > 0: the caller is going to shrink the picture to that shorter side. A JPEG that is
// larger may then come smaller than it is stored, its shorter side at least twice short_side, and
// from another decoder (jpeg_scaled.h). After the resize, pixels differ from those of the whole
// picture by 1 of 255 on average; a picture of that size or smaller comes out the same bit for bit.
Image decode_image(std::span<const std::uint8_t> bytes, const std::string& name,
                   int short_side = 0);

// Whether this build has that other decoder; without it, pictures are always decoded whole.
bool decodes_scaled();

// Part of an image, in pixels; a resize may begin and end between two.
struct Box {
  double left = 0, top = 0, right = 0, bottom = 0;
};

// Bilinear; where it shrinks, the triangle grows with the scale so that every source pixel counts
// (no aliasing). The first form resizes the whole image.
Image resize(const Image& image, int width, int height);
Image resize(const Image& image, Box box, int width, int height);

Image crop(const Image& image, int left, int top, int width, int height);

}  // namespace limulus

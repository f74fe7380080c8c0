#pragma once
// Photographs as bytes: decoding.
#include <cstdint>
#include <span>
#include <string>

#include "pages/pixels.h"

namespace limulus {

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
//   turned       upright, as EXIF's orientation says (JPEG, PNG eXIf; training/data/orientation.h)
// Colour profiles and a PNG's gamma are not applied. FileError, naming the file, for anything else,
// for a file that is damaged or incomplete (training/data/image_check.h), and when memory runs out.
// The verdict is the same for every short_side and with either decoder.
//
// short_side > 0: the caller is going to shrink the picture to that shorter side. A larger JPEG may
// then come smaller than it is stored (its shorter side at least twice short_side), and from
// another decoder (jpeg_scaled.h). After the resize, pixels differ from those of the whole picture
// by 1 of 255 on average. A picture of that size or smaller comes out the same bit for bit.
Image decode_image(std::span<const std::uint8_t> bytes, const std::string& name,
                   int short_side = 0);

// Whether this build has that other decoder; without it, pictures are always decoded whole.
bool decodes_scaled();

}  // namespace limulus

#pragma once
// Cameras store what the sensor saw, and note in EXIF how they were held:
//
//     1 upright   2 mirrored   3 upside down   4 upside down and mirrored
//     6 turn right by 90 degrees, 8 left; 5 and 7 also mirrored: width and height change places
#include <cstdint>
#include <span>

#include "training/data/image.h"

namespace limulus {

// From EXIF data, a TIFF file of either byte order. 1 if it says nothing, or is damaged.
int exif_orientation(std::span<const std::uint8_t> tiff);

// The picture as a viewer shows it.
Image upright(Image image, int orientation);

}  // namespace limulus

#pragma once
// A second JPEG decoder, for photographs that are larger than needed: libjpeg-turbo, if the build
// found it (CMake's LIMULUS_JPEG).
//
// A JPEG is stored as 8 x 8 blocks of frequencies. Leaving out the upper ones gives the block with
// 4 x 4, 2 x 2 or 1 pixel, well filtered, for a part of the work: to bring a photograph of 4096 x
// 3072 pixels to 256 x 256 takes 27 ms instead of 140 (EPYC, Zen 5), and a 48th of the memory. The
// check that comes before either decoder (image_check.h) reads every code of it: 6 to 25 ms more,
// for a smooth picture of 0.7 MB and a noisy one of 3.3 MB.
#include <cstdint>
#include <span>
#include <string>

#include "training/data/image.h"
#include "training/data/image_check.h"

namespace limulus {

// Decodes at a half, a quarter or an eighth of the size, as long as the shorter side keeps at least
// twice `short_side` (the resize that follows then does most of the filtering), else whole. Returns
// false, and does nothing, if this decoder cannot be used: it was not built in, the picture is not
// larger than `short_side`, or its colours are CMYK. The file must have passed check_jpeg, whose
// `facts` these are; what libjpeg still finds wrong is a FileError. The picture is as it was
// stored: it is not turned.
bool decode_jpeg_scaled(std::span<const std::uint8_t> bytes, const std::string& name,
                        const ImageFacts& facts, int short_side, Image* image);

}  // namespace limulus

#pragma once
// The two things that are done to a photograph's geometry: resizing and cropping.
#include "pages/pixels.h"

namespace limulus {

// Part of an image, in pixels; a resize may begin and end between two.
struct Box {
  double left = 0, top = 0, right = 0, bottom = 0;
};

// Bilinear; where it shrinks, the triangle grows with the scale so that every source pixel counts
// (no aliasing). The first form resizes the whole image.
Image resize(const Image& image, int width, int height);
Image resize(const Image& image, Box box, int width, int height);

Image crop(const Image& image, int left, int top, int width, int height);
Image crop_middle(const Image& image, int width, int height);

}  // namespace limulus

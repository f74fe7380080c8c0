#pragma once
// A photograph as a small picture inside a page.
#include <string>

#include "pages/pixels.h"

namespace limulus {

// The middle square, at most 192 pixels a side: shown smaller, so that it is sharp everywhere. A
// data URI: a JPEG, or, of a picture of at most 64 pixels, a PNG with its pixels as they are.
std::string thumbnail_uri(const Image& image);

// The same as <img>; `alt` is HTML. For an image that has no pixels, a box that says so.
std::string thumbnail(const Image& image, const std::string& alt);

}  // namespace limulus

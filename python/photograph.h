#pragma once
// Photographs as Python has them: a path, or an array of bytes [height, width, 3].
#include "pages/pixels.h"
#include "python/bindings.h"

namespace limulus::python {

struct Photograph {
  std::string name;  // of the file, without its folder
  Image image;
};
// FileError names the file; ShapeError or DTypeError for an array that is no picture.
Photograph photograph_from(nb::handle photograph);
nb::object array_of(const Image& image);  // [height, width, 3], uint8

// A picture that a notebook shows.
struct Picture {
  Image image;
};
void bind_picture(nb::module_& m);

}  // namespace limulus::python

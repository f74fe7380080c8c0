#include "python/photograph.h"

#include <nanobind/ndarray.h>

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "formats/atomic_file.h"
#include "formats/read_file.h"
#include "pages/html.h"
#include "pages/image_encode.h"
#include "training/data/image.h"

namespace limulus::python {
namespace {

std::string text_of(nb::handle path) {  // TypeError for what is no path
  std::string text;
  if (!nb::try_cast(nb::module_::import_("os").attr("fspath")(path), text))
    throw nb::type_error("a path is text here, not bytes");
  if (text.find('\0') != std::string::npos)
    throw ValueError("a path cannot have a zero byte in it");
  return text;
}

}  // namespace

Photograph photograph_from(nb::handle photograph) {
  nb::ndarray<const std::uint8_t, nb::ndim<3>, nb::device::cpu> pixels;
  if (nb::try_cast(photograph, pixels, /*convert=*/false)) {
    if (pixels.shape(2) != 3 || pixels.size() == 0 || pixels.size() > 3 * kMaxPixels)
      throw ShapeError(
          fmt::format("photograph: an array is [height, width, 3], red, green and blue, "
                      "not [{}, {}, {}]",
                      pixels.shape(0), pixels.shape(1), pixels.shape(2)));
    Image image;
    image.height = static_cast<int>(pixels.shape(0));
    image.width = static_cast<int>(pixels.shape(1));
    image.rgb.reserve(pixels.size());
    const auto view = pixels.view();  // of an array that may be turned or cut
    for (std::size_t y = 0; y < pixels.shape(0); ++y)
      for (std::size_t x = 0; x < pixels.shape(1); ++x)
        for (std::size_t c = 0; c < 3; ++c) image.rgb.push_back(view(y, x, c));
    return {"an array", std::move(image)};
  }
  if (nb::hasattr(photograph, "shape"))
    throw DTypeError(
        "photograph: an array of pixels is uint8, [height, width, 3], values 0 ... 255");
  const auto path = text_of(photograph);
  const Computing computing;
  return {std::filesystem::path(path).filename().string(), decode_image(read_file(path), path)};
}

nb::object array_of(const Image& image) {
  auto* copy = new std::vector<std::uint8_t>(image.rgb);
  const nb::capsule owner(
      copy, [](void* p) noexcept { delete static_cast<std::vector<std::uint8_t>*>(p); });
  const std::size_t shape[] = {static_cast<std::size_t>(image.height),
                               static_cast<std::size_t>(image.width), 3};
  return nb::cast(nb::ndarray<nb::numpy, std::uint8_t>(copy->data(), 3, shape, owner));
}

void bind_picture(nb::module_& m) {
  const auto png = [](const Picture& p) {
    const std::vector<std::uint8_t> bytes = encode_png(p.image);
    return nb::bytes(bytes.data(), bytes.size());
  };
  // Small pictures are shown with large pixels.
  const auto html = [](const Picture& p) {
    const std::vector<std::uint8_t> bytes = encode_png(p.image);
    const int scale = std::max(1, 480 / std::max(1, p.image.width));
    return fmt::format(
        "<img src=\"data:image/png;base64,{}\" alt=\"a picture of {} x {} pixels\" "
        "style=\"width:{}px;max-width:100%;image-rendering:{}\">",
        html::base64(bytes), p.image.width, p.image.height, scale * p.image.width,
        scale > 1 ? "pixelated" : "auto");
  };
  nb::class_<Picture>(m, "Picture", "A picture, which a notebook shows.")
      .def(
          "numpy", [](const Picture& p) { return array_of(p.image); },
          nb::sig("def numpy(self) -> numpy.ndarray"), "[height, width, 3], uint8: a copy.")
      .def_prop_ro("width", [](const Picture& p) { return p.image.width; })
      .def_prop_ro("height", [](const Picture& p) { return p.image.height; })
      .def("png", png, "The bytes of a PNG file.")
      .def("_repr_html_", html)
      .def(
          "save",
          [](const Picture& p, nb::handle path) {
            const auto file = text_of(path);
            const std::vector<std::uint8_t> bytes = encode_png(p.image);
            write_file_atomically(file,
                                  {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
          },
          "path"_a, "Writes a PNG file. FileError.");
}

}  // namespace limulus::python

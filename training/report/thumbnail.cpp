#include "training/report/thumbnail.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "pages/html.h"
#include "training/data/resize.h"

namespace limulus {
namespace {

constexpr int kSide = 192;
constexpr int kSmall = 64;  // up to here pixels are shown as they are

Image square_of(const Image& image) {
  const int side = std::min(image.width, image.height);
  const Image square = crop_middle(image, side, side);
  return side > kSide ? resize(square, kSide, kSide) : square;
}

std::string uri_of(Image square) {
  const bool small = square.width <= kSmall;
  const html::Picture picture{square.width, square.height, 3, std::move(square.rgb)};
  return small ? html::png_uri(picture) : html::jpeg_uri(picture);
}

}  // namespace

std::string thumbnail_uri(const Image& image) { return uri_of(square_of(image)); }

std::string thumbnail(const Image& image, const std::string& alt) {
  if (std::min(image.width, image.height) < 1 ||
      image.rgb.size() != std::size_t{3} * image.width * image.height) {
    return "<div class=\"missing\">picture not kept</div>";
  }
  const Image square = square_of(image);
  return fmt::format("<img{} width=\"{}\" height=\"{}\" alt=\"{}\" src=\"{}\">",
                     square.width <= kSmall ? " class=\"pixels\"" : "", square.width, square.height,
                     alt, uri_of(square));
}

}  // namespace limulus

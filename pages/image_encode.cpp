#include "pages/image_encode.h"

#include <fmt/format.h>

#include <cstdlib>
#include <new>

#include "core/checked.h"
#include "core/error.h"

// The only place where stb_image_write is compiled; its names stay private to this file.
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>

namespace limulus {
namespace {

void append(void* to, void* data, int size) {
  auto* bytes = static_cast<std::vector<std::uint8_t>*>(to);
  const auto* begin = static_cast<const std::uint8_t*>(data);
  bytes->insert(bytes->end(), begin, begin + size);
}

void check_picture(std::span<const std::uint8_t> values, int width, int height, int channels) {
  const std::int64_t wanted = size_product(size_product(width, height), channels);
  if (width < 1 || height < 1 || static_cast<std::int64_t>(values.size()) != wanted) {
    throw ValueError(fmt::format("picture: {} x {} pixels of {} channels need {} values, not {}",
                                 width, height, channels, wanted, values.size()));
  }
}

}  // namespace

std::vector<std::uint8_t> encode_png(std::span<const std::uint8_t> values, int width, int height,
                                     int channels) {
  check_picture(values, width, height, channels);
  std::vector<std::uint8_t> png;
  if (stbi_write_png_to_func(append, &png, width, height, channels, values.data(),
                             width * channels) == 0)
    throw std::bad_alloc();  // its only failure
  return png;
}

std::vector<std::uint8_t> encode_jpeg(std::span<const std::uint8_t> values, int width, int height,
                                      int channels, int quality) {
  check_picture(values, width, height, channels);
  std::vector<std::uint8_t> jpeg;
  if (stbi_write_jpg_to_func(append, &jpeg, width, height, channels, values.data(), quality) == 0)
    throw ValueError(fmt::format("picture: {} channels cannot be written as a JPEG", channels));
  return jpeg;
}

}  // namespace limulus

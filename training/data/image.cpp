#include "training/data/image.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <memory>
#include <new>
#include <string_view>

#include "core/error.h"
#include "training/data/image_check.h"
#include "training/data/jpeg_scaled.h"
#include "training/data/orientation.h"

// The only place where stb_image is compiled: JPEG and PNG, from memory, and its names stay private
// to this file, so that a program may bring its own copy.
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_MAX_DIMENSIONS 65535
#include <stb/stb_image.h>

namespace limulus {
namespace {

using Bytes = std::span<const std::uint8_t>;

bool begins(Bytes bytes, std::string_view with, std::size_t at = 0) {
  return bytes.size() >= at + with.size() &&
         std::equal(with.begin(), with.end(), bytes.begin() + at,
                    [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; });
}

// What a file that is neither JPEG nor PNG looks like, in words.
std::string describe(Bytes bytes) {
  if (bytes.empty()) return "it is empty";
  const struct {
    std::string_view begin;
    std::size_t at;
    const char* what;
  } known[] = {{"GIF8", 0, "a GIF"},
               {"WEBP", 8, "a WebP image"},
               {"BM", 0, "a BMP"},
               {"II*", 0, "a TIFF"},
               {std::string_view("MM\0*", 4), 0, "a TIFF"},
               {"ftypavif", 4, "an AVIF image"},
               {"ftyphei", 4, "a HEIC image"},
               {"ftypmif1", 4, "a HEIF image"},
               {"%PDF", 0, "a PDF"},
               {"\x1f\x8b", 0, "a gzip file"},
               {"PK\x03\x04", 0, "a zip file"}};
  const std::size_t shown = std::min<std::size_t>(bytes.size(), 16);
  const bool text = std::all_of(bytes.begin(), bytes.begin() + shown,
                                [](std::uint8_t c) { return std::isprint(c) || std::isspace(c); });
  for (const auto& k : known) {
    if (begins(bytes, k.begin, k.at)) return fmt::format("it looks like {}", k.what);
  }
  if (text) {
    std::string line(bytes.begin(), bytes.begin() + shown);
    for (char& c : line) {
      if (std::isspace(static_cast<unsigned char>(c))) c = ' ';
    }
    return fmt::format("it looks like text, beginning with \"{}\"", line);
  }
  std::string hex;
  for (std::size_t i = 0; i < std::min<std::size_t>(shown, 8); ++i) {
    hex += fmt::format("{}{:02x}", i ? " " : "", bytes[i]);
  }
  return fmt::format("it begins with the bytes {}", hex);
}

}  // namespace

void check_image_size(std::uint32_t width, std::uint32_t height, std::uint32_t most_side,
                      const std::string& name) {
  if (width < 1 || height < 1)
    throw FileError(fmt::format("{}: an image of {} x {} pixels", name, width, height));
  const std::uint64_t pixels = std::uint64_t{width} * height;  // of 32 bits each: it fits
  if (width > most_side || height > most_side || pixels > std::uint64_t{kMaxPixels})
    throw FileError(
        fmt::format("{}: {} x {} = {} pixels is too large: at most {} a side and {} together", name,
                    width, height, pixels, most_side, kMaxPixels));
}

namespace {

// The whole picture, by stb_image, as 8-bit RGB.
Image decode_whole(Bytes bytes, const std::string& name, bool jpeg) {
  // stb_image keeps its last reason, per thread, and some of its failures set none. So first comes
  // a call that must fail: if its reason is still there later, the real call gave none.
  stbi_info_from_memory(nullptr, 0, nullptr, nullptr, nullptr);
  const char* const nothing = stbi_failure_reason();
  int width = 0, height = 0, channels = 0;
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_memory(bytes.data(), static_cast<int>(bytes.size()), &width, &height,
                            &channels, 0),
      std::free);
  if (!pixels) {
    const char* const reason = stbi_failure_reason();
    const bool said = reason != nullptr && reason != nothing;
    throw FileError(fmt::format("{}: cannot decode this {}: {}", name, jpeg ? "JPEG" : "PNG",
                                said ? reason : "the decoder gives no reason"));
  }
  Image image{width, height, std::vector<std::uint8_t>(std::size_t{3} * width * height)};
  const stbi_uc* in = pixels.get();
  const bool colour = channels >= 3;
  const bool transparent = channels == 2 || channels == 4;
  for (std::size_t i = 0; i < image.rgb.size(); i += 3, in += channels) {
    const int alpha = transparent ? in[channels - 1] : 255;
    for (int c = 0; c < 3; ++c) {
      const int value = in[colour ? c : 0];
      image.rgb[i + c] =
          static_cast<std::uint8_t>((value * alpha + 255 * (255 - alpha) + 127) / 255);
    }
  }
  return image;
}

}  // namespace

Image decode_image(std::span<const std::uint8_t> bytes, const std::string& name, int short_side) {
  const bool jpeg = begins(bytes, "\xFF\xD8\xFF");
  if (!jpeg && !begins(bytes, "\x89PNG\r\n\x1a\n"))
    throw FileError(fmt::format("{}: not a JPEG or PNG: {}", name, describe(bytes)));
  if (bytes.size() > INT32_MAX) throw FileError(fmt::format("{}: larger than 2 GiB", name));
  try {
    const ImageFacts facts = jpeg ? check_jpeg(bytes, name) : check_png(bytes, name);
    Image image;
    if (!jpeg || !decode_jpeg_scaled(bytes, name, facts, short_side, &image))
      image = decode_whole(bytes, name, jpeg);
    return upright(std::move(image), facts.orientation);
  } catch (const std::bad_alloc&) {  // one picture's trouble, and not the end of a run
    throw FileError(fmt::format("{}: there is not enough memory to decode it", name));
  }
}

}  // namespace limulus

#include "training/image.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "core/error.h"
#include "training/jpeg_scaled.h"

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

std::uint32_t big_endian(Bytes b, std::size_t at, int count) {
  std::uint32_t value = 0;
  for (int i = 0; i < count; ++i) value = value << 8 | b[at + i];
  return value;
}

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

void check_size(std::int64_t width, std::int64_t height, const std::string& name) {
  if (width < 1 || height < 1) {
    throw FileError(fmt::format("{}: an image of {} x {} pixels", name, width, height));
  }
  if (width > STBI_MAX_DIMENSIONS || height > STBI_MAX_DIMENSIONS || width * height > kMaxPixels) {
    throw FileError(
        fmt::format("{}: {} x {} = {} pixels is too large: at most {} a side and {} "
                    "together",
                    name, width, height, width * height, STBI_MAX_DIMENSIONS, kMaxPixels));
  }
}

// The decoder trusts a Huffman table to have at most 256 codes, and writes past its memory when one
// has more. A segment holds tables one after another: kind and number, 16 counts, the codes'
// values.
void check_huffman(Bytes segment, const std::string& name) {
  std::size_t at = 0;
  while (at < segment.size()) {
    int codes = 0;
    for (std::size_t i = at + 1; i < std::min(at + 17, segment.size()); ++i) codes += segment[i];
    const std::size_t end = at + 17 + static_cast<std::size_t>(codes);
    if (codes > 256 || end > segment.size()) {
      throw FileError(
          fmt::format("{}: the JPEG is damaged: a Huffman table of {} codes in a segment "
                      "of {} bytes",
                      name, codes, segment.size()));
    }
    at = end;
  }
}

// The decoder fills what is missing of a cut JPEG with grey and reports success. So the file is
// walked first: segments by their lengths, compressed data up to the next marker, and the last
// marker must be "end of image".
void check_jpeg(Bytes b, const std::string& name) {
  const auto cut = [&] {
    return FileError(
        fmt::format("{}: the JPEG is incomplete: its {} bytes hold no end marker, the "
                    "file was cut",
                    name, b.size()));
  };
  bool sized = false;
  std::size_t at = 2;  // after "start of image"
  while (true) {
    while (at < b.size() && b[at] != 0xFF) ++at;
    while (at < b.size() && b[at] == 0xFF) ++at;
    if (at >= b.size()) throw cut();
    const int marker = b[at++];
    if (marker == 0xD9) break;                                           // end of image
    if (marker <= 0x01 || (marker >= 0xD0 && marker <= 0xD8)) continue;  // no length follows
    if (at + 2 > b.size()) throw cut();
    const std::size_t length = big_endian(b, at, 2);
    if (length < 2) throw FileError(fmt::format("{}: a JPEG segment of length {}", name, length));
    if (at + length > b.size()) throw cut();
    const bool frame =
        marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (frame) {
      if (length < 8) throw FileError(fmt::format("{}: a JPEG frame of length {}", name, length));
      if (marker > 0xC2 || b[at + 2] != 8) {
        throw FileError(
            fmt::format("{}: this kind of JPEG is not supported (frame type {:02x}, {} "
                        "bits): only baseline and progressive with 8 bits",
                        name, marker, b[at + 2]));
      }
      check_size(big_endian(b, at + 5, 2), big_endian(b, at + 3, 2), name);
      sized = true;
    }
    if (marker == 0xC4) check_huffman(b.subspan(at + 2, length - 2), name);
    at += length;
  }
  if (!sized) throw FileError(fmt::format("{}: the JPEG has no frame", name));
}

// The decoder ignores checksums; one flipped bit in a PNG would become another picture.
void check_png(Bytes b, const std::string& name) {
  std::size_t at = 8;
  std::uint64_t compressed = 0;
  std::uint64_t raw = 0;
  while (true) {
    const std::size_t left = b.size() - at;
    const std::uint64_t length = left >= 8 ? big_endian(b, at, 4) : 0;
    if (left < 12 || length > left - 12) {
      throw FileError(
          fmt::format("{}: the PNG is incomplete: a chunk of 12 + {} bytes does not fit "
                      "in the last {}, the file was cut",
                      name, length, left));
    }
    const std::uint32_t sum =
        static_cast<std::uint32_t>(::crc32(0, b.data() + at + 4, static_cast<uInt>(length + 4)));
    if (sum != big_endian(b, at + 8 + length, 4)) {
      throw FileError(
          fmt::format("{}: the PNG is damaged: a chunk at byte {} has a wrong checksum", name, at));
    }
    if (at == 8) {
      if (!begins(b, "IHDR", at + 4) || length != 13) {
        throw FileError(fmt::format("{}: the PNG does not begin with its header", name));
      }
      const std::uint64_t width = big_endian(b, at + 8, 4), height = big_endian(b, at + 12, 4);
      check_size(static_cast<std::int64_t>(width), static_cast<std::int64_t>(height), name);
      raw = (width * 8 + 1) * height;
    }
    if (begins(b, "IDAT", at + 4)) compressed += length;
    at += 12 + length;
    if (begins(b, "IEND", at - length - 8)) break;
  }
  // Compression makes nothing much larger. More data than that is there to fill the memory.
  if (compressed > 2 * raw + 65536) {
    throw FileError(
        fmt::format("{}: {} compressed bytes for an image of at most {}", name, compressed, raw));
  }
}

}  // namespace

Image decode_image(std::span<const std::uint8_t> bytes, const std::string& name, int short_side) {
  const bool jpeg = begins(bytes, "\xFF\xD8\xFF");
  if (jpeg) {
    check_jpeg(bytes, name);
  } else if (begins(bytes, "\x89PNG\r\n\x1a\n")) {
    check_png(bytes, name);
  } else {
    throw FileError(fmt::format("{}: not a JPEG or PNG: {}", name, describe(bytes)));
  }
  if (bytes.size() > INT32_MAX) throw FileError(fmt::format("{}: larger than 2 GiB", name));
  if (Image scaled; jpeg && decode_jpeg_scaled(bytes, name, short_side, &scaled)) return scaled;

  int width = 0, height = 0, channels = 0;
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_memory(bytes.data(), static_cast<int>(bytes.size()), &width, &height,
                            &channels, 0),
      std::free);
  if (!pixels) {
    throw FileError(fmt::format("{}: cannot decode this {}: {}", name, jpeg ? "JPEG" : "PNG",
                                stbi_failure_reason()));
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

}  // namespace limulus

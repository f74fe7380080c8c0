// Decoding, resizing and cropping of pictures. The files of golden/images are made by
// golden/make_images.py.
#include "training/data/image.h"

#include <doctest/doctest.h>
#include <zlib.h>

#include <array>
#include <cstdlib>

#include "core/error.h"
#include "core/philox.h"
#include "formats/read_file.h"
#include "pages/image_encode.h"
#include "temporary_folder.h"
#include "training/data/resize.h"

using namespace limulus;

namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes golden(const std::string& name) {
  return read_file(std::filesystem::path(LIMULUS_SOURCE_DIR) / "tests/golden/images" / name);
}

Bytes bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

std::string decode_error(const Bytes& bytes, const std::string& name = "photo.jpg",
                         int short_side = 0) {
  const std::string message = message_of<FileError>([&] { decode_image(bytes, name, short_side); });
  CHECK_MESSAGE(message.rfind(name, 0) == 0, "begins with the file's name: ", message);
  return message;
}

// The picture of make_images.py.
std::array<int, 3> colour(int x, int y) { return {40 + 8 * x, 200 - 6 * y, 90 + 3 * x + 2 * y}; }

int largest_difference(const Image& image) {
  REQUIRE(image.width == 20);
  REQUIRE(image.height == 12);
  int largest = 0;
  for (int y = 0; y < 12; ++y) {
    for (int x = 0; x < 20; ++x) {
      for (int c = 0; c < 3; ++c) {
        largest = std::max(largest, std::abs(image.pixel(x, y)[c] - colour(x, y)[c]));
      }
    }
  }
  return largest;
}

void put_be32(Bytes& bytes, std::size_t at, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) bytes[at + i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
}

}  // namespace

TEST_CASE("decode: JPEG") {
  CHECK(largest_difference(decode_image(golden("rgb.jpg"), "rgb.jpg")) <= 4);
  CHECK(largest_difference(decode_image(golden("progressive.jpg"), "p")) <= 14);
  CHECK(largest_difference(decode_image(golden("cmyk.jpg"), "c")) <= 6);
  const Image grey = decode_image(golden("grey.jpg"), "g");
  for (int x = 0; x < 20; ++x) {
    const std::uint8_t* p = grey.pixel(x, 5);
    const auto c = colour(x, 5);
    CHECK(p[0] == p[1]);
    CHECK(p[0] == p[2]);
    CHECK(std::abs(p[0] - (0.299 * c[0] + 0.587 * c[1] + 0.114 * c[2])) <= 3);
  }
}

TEST_CASE("decode: PNG, whatever its name says") {
  CHECK(largest_difference(decode_image(golden("rgb.png"), "really a png.jpg")) == 0);
  CHECK(largest_difference(decode_image(golden("palette.png"), "p")) <= 24);
  const Image red = decode_image(golden("rgba.png"), "rgba.png");  // on white
  CHECK(red.rgb == Bytes{255, 255, 255, 237, 170, 170, 218, 85, 85, 200, 0, 0});
  const Image black = decode_image(golden("grey_alpha.png"), "grey_alpha.png");
  CHECK(black.rgb == Bytes{255, 255, 255, 170, 170, 170, 85, 85, 85, 0, 0, 0});
  const Image deep = decode_image(golden("rgb16.png"), "rgb16.png");
  CHECK(deep.rgb == Bytes{0, 1, 2, 10, 11, 12, 20, 21, 22, 30, 31, 32, 40, 41, 42, 50, 51, 52});
  CHECK(decode_image(golden("grey16.png"), "g").rgb ==
        Bytes{0, 0, 0, 128, 128, 128, 255, 255, 255});
  const Image first = decode_image(golden("animated.png"), "animated.png");
  CHECK(first.width == 3);
  CHECK(Bytes(first.rgb.begin(), first.rgb.begin() + 3) == Bytes{10, 20, 30});
}

TEST_CASE("encode: a PNG comes back as it was, a JPEG nearly") {
  Image image{20, 12, {}};
  for (int y = 0; y < 12; ++y)
    for (int x = 0; x < 20; ++x)
      for (const int value : colour(x, y)) image.rgb.push_back(static_cast<std::uint8_t>(value));
  CHECK(decode_image(encode_png(image), "new.png").rgb == image.rgb);
  CHECK(largest_difference(decode_image(encode_jpeg(image.rgb, 20, 12, 3, 95), "new.jpg")) <= 8);

  const Bytes grey = {0, 100, 255, 7, 8, 9};
  const Image three = decode_image(encode_png(grey, 3, 2, 1), "grey.png");
  CHECK(three.rgb == Bytes{0, 0, 0, 100, 100, 100, 255, 255, 255, 7, 7, 7, 8, 8, 8, 9, 9, 9});
  CHECK_THROWS_AS(encode_png(grey, 3, 3, 1), ValueError);
  CHECK_THROWS_AS(encode_jpeg(grey, 0, 2, 1), ValueError);
}

TEST_CASE("decode: a file cut at any byte is an error") {
  for (const char* name : {"rgb.jpg", "progressive.jpg", "grey.jpg", "cmyk.jpg", "rgb.png",
                           "palette.png", "rgba.png", "rgb16.png", "animated.png"}) {
    const Bytes whole = golden(name);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      CAPTURE(size);
      const Bytes cut = {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)};
      for (const int short_side : {0, 3}) CHECK(decode_error(cut, name, short_side) != "");
    }
  }
  const Bytes jpeg = golden("rgb.jpg");
  CHECK(has(decode_error({jpeg.begin(), jpeg.end() - 20}), "incomplete"));
}

TEST_CASE("decode: a damaged file is decoded or refused, never more") {
  for (const char* name : {"rgb.jpg", "progressive.jpg", "cmyk.jpg", "rgb.png", "rgba.png"}) {
    const Bytes whole = golden(name);
    int refused = 0;
    for (std::uint64_t trial = 0; trial < 300; ++trial) {
      Bytes bytes = whole;
      const PhiloxWords w = philox_block({17, 0}, trial);
      for (std::uint32_t word : w.v) bytes[(word >> 8) % bytes.size()] ^= word & 255;
      for (const int short_side : {0, 3}) {
        try {
          decode_image(bytes, name, short_side);
        } catch (const FileError&) {
          ++refused;
        }
      }
    }
    CHECK(refused > 0);
  }
  Bytes png = golden("rgb.png");
  png[png.size() - 20] ^= 1;
  CHECK(has(decode_error(png), "checksum"));
}

TEST_CASE("decode: a JPEG that is to be shrunk may come smaller") {
  const Image whole = decode_image(golden("rgb.jpg"), "rgb.jpg");
  for (const int enough : {12, 13, 1000}) {  // no larger than what is wanted: the same bits
    CHECK(decode_image(golden("rgb.jpg"), "rgb.jpg", enough).rgb == whole.rgb);
  }
  // Larger, but less than twice 2 * 7: whole, by the other decoder where there is one.
  CHECK(largest_difference(decode_image(golden("rgb.jpg"), "rgb.jpg", 7)) <= 4);
  CHECK(decode_image(golden("cmyk.jpg"), "c", 3).width == 20);  // stb_image's
  CHECK(decode_image(golden("rgb.png"), "p", 3).width == 20);
  // Larger than that: half of the size, each pixel the mean of four.
  const int part = decodes_scaled() ? 2 : 1;
  for (const char* name : {"rgb.jpg", "progressive.jpg", "grey.jpg"}) {
    CAPTURE(name);
    const Image half = decode_image(golden(name), name, 3);
    const Image expected = decode_image(golden(name), name);
    REQUIRE(half.width == 20 / part);
    REQUIRE(half.height == 12 / part);
    int largest = 0;
    for (int y = 0; y < half.height; ++y)
      for (int x = 0; x < half.width; ++x)
        for (int c = 0; c < 3; ++c) {
          int sum = 0;
          for (int dy = 0; dy < part; ++dy)
            for (int dx = 0; dx < part; ++dx)
              sum += expected.pixel(part * x + dx, part * y + dy)[c];
          largest = std::max(largest, std::abs(half.pixel(x, y)[c] - sum / (part * part)));
        }
    CHECK(largest <= 14);  // progressive.jpg stores a quarter of the colours
  }
  CHECK(decode_image(golden("rgb.jpg"), "rgb.jpg", 1).height == (decodes_scaled() ? 3 : 12));
}

TEST_CASE("decode: damage within the picture is an error of either decoder") {
  // The compressed data ends early, and a marker stands in its middle.
  const Bytes whole = golden("rgb.jpg");
  Bytes bytes(whole.begin(), whole.end() - 40);
  bytes.insert(bytes.end(), {0xFF, 0xD9});
  for (const int short_side : {0, 3})
    CHECK(has(decode_error(bytes, "photo.jpg", short_side), "the compressed data ends"));
}

TEST_CASE("decode: a Huffman table of more codes than there are bytes") {
  Bytes jpeg = golden("rgb.jpg");
  Bytes segment = {0xFF, 0xC4, (2 + 17 + 257) >> 8, (2 + 17 + 257) & 255, 0};
  segment.resize(5 + 16 + 257, 1);
  segment[5 + 15] = 257 - 15;  // 15 lengths of one code each, and 242 codes of 16 bits
  jpeg.insert(jpeg.begin() + 2, segment.begin(), segment.end());
  CHECK(has(decode_error(jpeg), "Huffman table of 257 codes"));
}

TEST_CASE("decode: what is not a JPEG or PNG is described") {
  CHECK(has(decode_error(golden("gif.jpg")), "looks like a GIF"));
  CHECK(has(decode_error(golden("webp.jpg")), "looks like a WebP"));
  CHECK(has(decode_error(bytes_of("<!DOCTYPE html>\n<html>")),
            "text, beginning with \"<!DOCTYPE html>"));
  CHECK(has(decode_error({}), "it is empty"));
  CHECK(has(decode_error({1, 2, 0, 255}), "bytes 01 02 00 ff"));
  CHECK(has(decode_error(bytes_of(std::string("\0\0\0 ftypheic", 12))), "HEIC"));
}

TEST_CASE("decode: an enormous size is refused before decoding") {
  Bytes png = golden("rgb.png");
  put_be32(png, 16, 60000);  // width
  put_be32(png, 20, 50000);  // height
  put_be32(png, 29, static_cast<std::uint32_t>(::crc32(0, png.data() + 12, 17)));
  CHECK(has(decode_error(png), "60000 x 50000 = 3000000000 pixels"));
  put_be32(png, 16, 0);
  put_be32(png, 29, static_cast<std::uint32_t>(::crc32(0, png.data() + 12, 17)));
  CHECK(has(decode_error(png), "0 x 50000"));

  Bytes jpeg = golden("rgb.jpg");
  for (std::size_t at = 2; at + 9 < jpeg.size(); ++at) {
    if (jpeg[at] != 0xFF || jpeg[at + 1] != 0xC0) continue;
    Bytes large = jpeg;
    large[at + 5] = large[at + 7] = 0xFF;
    large[at + 6] = large[at + 8] = 0xFF;
    CHECK(has(decode_error(large), "65535 x 65535"));
    Bytes arithmetic = jpeg;
    arithmetic[at + 1] = 0xC9;
    CHECK(has(decode_error(arithmetic), "frame type c9"));
    return;
  }
  FAIL("no frame in rgb.jpg");
}

TEST_CASE("resize: against Pillow's bilinear filter") {
  Image noise{7, 5, {}};
  for (int i = 0; i < 35; ++i) {
    for (const int v : {37 * i, 91 * i + 13, i * i * 5}) {
      noise.rgb.push_back(static_cast<std::uint8_t>(v % 256));
    }
  }
  const auto check = [](const Image& image, const std::vector<int>& expected) {
    REQUIRE(image.rgb.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      CHECK(std::abs(image.rgb[i] - expected[i]) <= 1);
    }
  };
  check(resize(noise, 3, 2),
        {35, 121, 95, 114, 126, 111, 193, 139, 124, 41, 115, 119, 120, 120, 98, 199, 133, 77});
  check(resize(noise, {0.5, 1.25, 6.0, 4.75}, 4, 3),
        {28,  143, 138, 80,  120, 116, 132, 148, 156, 182, 148, 121, 32,  125, 135, 84,  121, 68,
         136, 129, 93,  186, 148, 53,  35,  107, 111, 87,  122, 127, 139, 109, 88,  189, 148, 56});
  CHECK(resize(noise, 7, 5).rgb == noise.rgb);
  // Enlarged: the first row of 9 x 8.
  const Image large = resize(noise, 9, 8);
  check({9, 1, {large.rgb.begin(), large.rgb.begin() + 27}},
        {0,  13,  0,   25, 74,  3,   53,  144, 12,  82,  158, 26, 111, 30,
         45, 140, 101, 72, 169, 172, 105, 197, 157, 143, 222, 47, 180});
  // A constant stays that constant at every size.
  const Image flat{5, 4, Bytes(60, 255)};
  for (const int size : {1, 2, 3, 11, 64}) {
    CHECK(resize(flat, size, size).rgb == Bytes(std::size_t{3} * size * size, 255));
  }
  CHECK_THROWS_AS(resize(noise, 0, 3), ShapeError);
  CHECK_THROWS_AS(resize(noise, {0, 0, 8, 5}, 3, 3), ShapeError);
}

TEST_CASE("crop") {
  const Image image = decode_image(golden("rgb.png"), "rgb.png");
  const Image part = crop(image, 3, 4, 2, 5);
  CHECK(part.width == 2);
  CHECK(part.height == 5);
  CHECK(part.rgb.size() == 30);
  for (int c = 0; c < 3; ++c) CHECK(part.pixel(1, 4)[c] == colour(4, 8)[c]);
  CHECK(crop(image, 0, 0, 20, 12).rgb == image.rgb);
  CHECK_THROWS_AS(crop(image, 19, 0, 2, 1), ShapeError);
  CHECK_THROWS_AS(crop(image, -1, 0, 2, 1), ShapeError);
}

#pragma once
// Pictures made by hand, byte by byte: JPEGs of flat grey, and PNGs of chunks.
#include <zlib.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace pictures {

using Bytes = std::vector<std::uint8_t>;

inline void add(Bytes& to, const Bytes& more) { to.insert(to.end(), more.begin(), more.end()); }

inline Bytes be16(int value) {
  return {static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
}
inline Bytes be32(std::uint32_t value) {
  Bytes b = be16(static_cast<int>(value >> 16));
  add(b, be16(static_cast<int>(value & 65535)));
  return b;
}

// ---- JPEG ---------------------------------------------------------------------------------------

inline Bytes segment(int marker, const Bytes& contents) {
  Bytes b = {0xFF, static_cast<std::uint8_t>(marker)};
  add(b, be16(static_cast<int>(contents.size()) + 2));
  add(b, contents);
  return b;
}

inline Bytes quantization(int number = 0) {
  Bytes b(65, 1);
  b[0] = static_cast<std::uint8_t>(number);
  return segment(0xDB, b);
}

// A table of one code, the bit 0, which means `symbol`. Class 0 is DC, 1 AC.
inline Bytes huffman(int kind, int symbol = 0, int number = 0) {
  Bytes b(18, 0);
  b[0] = static_cast<std::uint8_t>(kind << 4 | number);
  b[1] = 1;
  b[17] = static_cast<std::uint8_t>(symbol);
  return segment(0xC4, b);
}

// Components 1, 2 ... with `sampling`, and quantization table 0.
inline Bytes frame(int width, int height, const std::vector<int>& sampling = {0x11},
                   int marker = 0xC0) {
  Bytes b = {8};
  add(b, be16(height));
  add(b, be16(width));
  b.push_back(static_cast<std::uint8_t>(sampling.size()));
  for (std::size_t c = 0; c < sampling.size(); ++c)
    add(b, {static_cast<std::uint8_t>(c + 1), static_cast<std::uint8_t>(sampling[c]), 0});
  return segment(marker, b);
}

inline Bytes scan(const std::vector<int>& components = {1}, int first = 0, int last = 63,
                  int high_low = 0) {
  Bytes b = {static_cast<std::uint8_t>(components.size())};
  for (const int c : components) add(b, {static_cast<std::uint8_t>(c), 0});
  add(b, {static_cast<std::uint8_t>(first), static_cast<std::uint8_t>(last),
          static_cast<std::uint8_t>(high_low)});
  return segment(0xDA, b);
}

inline Bytes jpeg(std::initializer_list<Bytes> parts) {
  Bytes b = {0xFF, 0xD8};
  for (const Bytes& part : parts) add(b, part);
  add(b, {0xFF, 0xD9});
  return b;
}

// So many blocks of "the same grey as before" (DC code 0) and "nothing else" (AC code 0), four to a
// byte.
inline Bytes grey_blocks(int blocks) {
  Bytes b(static_cast<std::size_t>(blocks / 4), 0);
  if (blocks % 4 != 0) b.push_back(static_cast<std::uint8_t>(0xFF >> 2 * (blocks % 4)));
  return b;
}

// ---- PNG ----------------------------------------------------------------------------------------

inline Bytes chunk(const std::string& kind, const Bytes& contents) {
  Bytes b = be32(static_cast<std::uint32_t>(contents.size()));
  Bytes named(kind.begin(), kind.end());
  add(named, contents);
  add(b, named);
  add(b,
      be32(static_cast<std::uint32_t>(::crc32(0, named.data(), static_cast<uInt>(named.size())))));
  return b;
}

inline Bytes header(std::uint32_t width, std::uint32_t height, int depth, int colour,
                    int interlace = 0) {
  Bytes b = be32(width);
  add(b, be32(height));
  add(b, {static_cast<std::uint8_t>(depth), static_cast<std::uint8_t>(colour), 0, 0,
          static_cast<std::uint8_t>(interlace)});
  return chunk("IHDR", b);
}

inline Bytes compressed(const Bytes& raw) {
  uLongf size = ::compressBound(raw.size());
  Bytes b(size);
  ::compress(b.data(), &size, raw.data(), raw.size());
  b.resize(size);
  return b;
}

inline Bytes png(std::initializer_list<Bytes> chunks) {
  Bytes b = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  for (const Bytes& c : chunks) add(b, c);
  add(b, chunk("IEND", {}));
  return b;
}

// ---- EXIF ---------------------------------------------------------------------------------------

// A TIFF file of one entry, the orientation, after one that is something else.
inline Bytes exif(int orientation, bool little) {
  const auto number = [&](std::uint32_t value, int bytes) {
    Bytes b;
    for (int i = 0; i < bytes; ++i)
      b.push_back(static_cast<std::uint8_t>(value >> 8 * (little ? i : bytes - 1 - i)));
    return b;
  };
  Bytes b = little ? Bytes{'I', 'I'} : Bytes{'M', 'M'};
  add(b, number(42, 2));
  add(b, number(8, 4));
  add(b, number(2, 2));
  for (const auto& [tag, value] : {std::pair{0x0100, 20}, std::pair{0x0112, orientation}}) {
    add(b, number(static_cast<std::uint32_t>(tag), 2));
    add(b, number(3, 2));
    add(b, number(1, 4));
    add(b, number(static_cast<std::uint32_t>(value), 2));
    add(b, {0, 0});
  }
  add(b, number(0, 4));
  return b;
}

inline Bytes exif_segment(const Bytes& tiff) {
  Bytes b = {'E', 'x', 'i', 'f', 0, 0};
  add(b, tiff);
  return segment(0xE1, b);
}

}  // namespace pictures

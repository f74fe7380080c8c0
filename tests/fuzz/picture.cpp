// A photograph, JPEG or PNG, by both decoders. Each decodes it twice, with new memory filled in two
// ways: a picture that then differs shows what memory held, not what the file holds.
#include <zlib.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "harness.h"
#include "training/data/image.h"
#include "training/data/resize.h"

using namespace limulus;

namespace {

std::optional<Image> decoded(fuzz::Bytes bytes, int short_side, std::uint8_t fill) {
  Image image;
  const auto read = [&] { image = decode_image(bytes, "picture", short_side); };
  if (!fuzz::accepted(bytes.size(), "picture", read, fill)) return std::nullopt;
  fuzz::require(image.width > 0 && image.height > 0 &&
                    image.rgb.size() == std::size_t{3} * image.width * image.height,
                "a picture has three bytes for each pixel");
  return image;
}

std::size_t big_endian(fuzz::Bytes b, std::size_t at, int count) {
  std::size_t value = 0;
  for (int i = 0; i < count; ++i) value = value << 8 | b[at + i];
  return value;
}

// The largest picture that the bytes may claim to hold: PNG's header, and all that looks like a
// JPEG's frame.
std::size_t claimed_pixels(fuzz::Bytes b) {
  std::size_t most =
      b.size() >= 24 && b[0] == 0x89 ? big_endian(b, 16, 4) * big_endian(b, 20, 4) : 0;
  for (std::size_t at = 0; at + 9 <= b.size(); ++at)
    if (b[at] == 0xFF && (b[at + 1] & 0xF0) == 0xC0)
      most = std::max(most, big_endian(b, at + 5, 2) * big_endian(b, at + 7, 2));
  return most;
}

// The PNG with the right checksum in every chunk: a fuzzer that changes a byte seldom changes the
// checksum so that it fits, and would never come past it.
std::vector<std::uint8_t> with_checksums(fuzz::Bytes bytes) {
  std::vector<std::uint8_t> png(bytes.begin(), bytes.end());
  for (std::size_t at = 8; png.size() >= at + 12;) {
    const std::size_t length = big_endian(png, at, 4);
    if (length > png.size() - at - 12) break;
    const auto sum = ::crc32(0, png.data() + at + 4, static_cast<uInt>(length + 4));
    for (int i = 0; i < 4; ++i)
      png[at + 8 + length + i] = static_cast<std::uint8_t>(sum >> (24 - 8 * i));
    at += 12 + length;
  }
  return png;
}

void decode(fuzz::Bytes bytes) {
  // A few bytes may describe a picture of 100 million pixels; it takes seconds and 300 MB, and
  // rightly so. Pictures below that are decoded here, and larger ones have to be refused.
  const std::size_t pixels = claimed_pixels(bytes);
  if (pixels > (1 << 20) && pixels <= kMaxPixels) return;
  for (const int short_side : {0, 3}) {
    const auto once = decoded(bytes, short_side, 0x00), again = decoded(bytes, short_side, 0xA5);
    fuzz::require(once.has_value() == again.has_value() && (!once || once->rgb == again->rgb),
                  "a picture depends on its file alone");
    if (once) resize(*once, 7, 5);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Bytes bytes(data, size);
  decode(bytes);
  if (size > 0 && data[0] == 0x89) decode(with_checksums(bytes));
  return 0;
}

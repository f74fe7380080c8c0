// EXIF's orientation: whoever decodes, the picture stands as a viewer shows it.
#include "training/data/orientation.h"

#include <doctest/doctest.h>

#include "core/error.h"
#include "formats/read_file.h"
#include "pictures.h"
#include "temporary_folder.h"
#include "training/data/image.h"

using namespace limulus;
using namespace pictures;

namespace {

Bytes golden(const std::string& name) {
  return read_file(std::filesystem::path(LIMULUS_SOURCE_DIR) / "tests/golden/images" / name);
}

// A segment right behind "start of image", or behind the APP0 that follows it.
Bytes with(Bytes jpeg, const Bytes& more, bool behind_app0 = true) {
  std::ptrdiff_t at = 2;
  if (behind_app0 && jpeg[3] == 0xE0) at += 2 + (jpeg[4] << 8 | jpeg[5]);
  jpeg.insert(jpeg.begin() + at, more.begin(), more.end());
  return jpeg;
}

// As EXIF 2.3 defines it: where row 0 and column 0 of the stored picture are in the shown one.
// 1 top left, 2 top right, 3 bottom right, 4 bottom left, 5 left top, 6 right top, 7 right bottom,
// 8 left bottom.
Image shown(const Image& stored, int orientation) {
  const bool turned = orientation >= 5;
  Image out{turned ? stored.height : stored.width, turned ? stored.width : stored.height, {}};
  out.rgb.resize(stored.rgb.size());
  for (int row = 0; row < stored.height; ++row)
    for (int column = 0; column < stored.width; ++column) {
      const bool row_reversed = orientation == 3 || orientation == 4 || orientation == 6 ||
                                orientation == 7;  // row 0 is at the bottom or at the right
      const bool column_reversed = orientation == 2 || orientation == 3 || orientation == 7 ||
                                   orientation == 8;  // column 0 is at the right or at the bottom
      const int r = row_reversed ? stored.height - 1 - row : row;
      const int c = column_reversed ? stored.width - 1 - column : column;
      for (int i = 0; i < 3; ++i)
        out.pixel(turned ? r : c, turned ? c : r)[i] = stored.pixel(column, row)[i];
    }
  return out;
}

}  // namespace

TEST_CASE("orientation: 1 to 8, in either byte order, from each decoder") {
  for (const int short_side : {0, 3, 7, 1000}) {
    const Image stored = decode_image(golden("rgb.jpg"), "x", short_side);
    for (int orientation = 1; orientation <= 8; ++orientation)
      for (const bool little : {false, true})
        for (const bool behind : {false, true}) {
          CAPTURE(short_side);
          CAPTURE(orientation);
          const Bytes bytes =
              with(golden("rgb.jpg"), exif_segment(exif(orientation, little)), behind);
          const Image image = decode_image(bytes, "x", short_side);
          const Image expected = shown(stored, orientation);
          CHECK(image.width == expected.width);
          CHECK(image.height == expected.height);
          CHECK(image.rgb == expected.rgb);
        }
  }
  for (const char* name : {"progressive.jpg", "cmyk.jpg", "grey.jpg"})
    for (const int short_side : {0, 3})
      CHECK(decode_image(with(golden(name), exif_segment(exif(6, true))), "x", short_side).rgb ==
            shown(decode_image(golden(name), "x", short_side), 6).rgb);
}

TEST_CASE("orientation: of a PNG") {
  const Bytes row = {0, 10, 20, 30, 40, 50, 60};
  const auto with_exif = [&](const Bytes& tiff) {
    return decode_image(
        png({header(2, 1, 8, 2), chunk("eXIf", tiff), chunk("IDAT", compressed(row))}), "x");
  };
  const Image image = with_exif(exif(6, false));
  CHECK(image.width == 1);
  CHECK(image.height == 2);
  CHECK(with_exif(exif(3, true)).rgb == Bytes{40, 50, 60, 10, 20, 30});
  CHECK(with_exif({1, 2, 3}).rgb == Bytes{10, 20, 30, 40, 50, 60});
  Bytes as_in_jpeg = {'E', 'x', 'i', 'f', 0, 0};
  add(as_in_jpeg, exif(3, true));
  CHECK(with_exif(as_in_jpeg).rgb == Bytes{40, 50, 60, 10, 20, 30});
  CHECK(with_exif({'E', 'x', 'i', 'f', 0, 0}).rgb == Bytes{10, 20, 30, 40, 50, 60});
}

TEST_CASE("orientation: the first EXIF data counts; what is damaged says nothing") {
  const Bytes six = exif_segment(exif(6, false)), three = exif_segment(exif(3, true));
  const Bytes xmp = segment(0xE1, {'h', 't', 't', 'p', ':', '/', '/', 'n', 's', 0});
  const auto width = [&](const Bytes& more) {
    return decode_image(with(golden("rgb.jpg"), more), "x").width;
  };
  const auto both = [](Bytes a, const Bytes& b) {
    add(a, b);
    return a;
  };
  CHECK(width(six) == 12);
  CHECK(width(both(xmp, six)) == 12);
  CHECK(width(both(six, three)) == 12);
  CHECK(width(both(three, six)) == 20);
  for (const int value : {0, 9, 255, 65535}) CHECK(exif_orientation(exif(value, true)) == 1);

  // Cut at any byte, and with any byte changed, there is some orientation.
  for (const bool little : {false, true}) {
    const Bytes whole = exif(6, little);
    for (std::size_t size = 0; size <= whole.size(); ++size) {
      const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      CAPTURE(size);
      CHECK(exif_orientation(cut) == (size < 34 ? 1 : 6));  // 8 + 2 + 2 entries of 12
      CHECK(width(exif_segment(cut)) == (size < 34 ? 20 : 12));
      for (int value = 0; value < 256 && size < whole.size(); ++value) {
        Bytes changed = whole;
        changed[size] = static_cast<std::uint8_t>(value);
        const int orientation = exif_orientation(changed);
        CHECK(orientation >= 1);
        CHECK(orientation <= 8);
      }
    }
  }
}

// What is missing from a picture or damaged in it is found before a decoder sees it, with one
// verdict for every decoder and size. The pictures are made here (pictures.h), and in
// golden/images.
#include "training/data/image_check.h"

#include <doctest/doctest.h>

#include <array>

#include "core/error.h"
#include "core/philox.h"
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

// The message, or "" where it is decoded. short_side 0 is stb_image, 1 and 3 are libjpeg where the
// build has it: they must agree, to the word.
std::string verdict(const Bytes& bytes) {
  const auto at = [&](int short_side) {
    return message_of<FileError>([&] { decode_image(bytes, "x.jpg", short_side); });
  };
  const std::string whole = at(0);
  for (const int short_side : {1, 3, 1000}) CHECK(at(short_side) == whole);
  if (!whole.empty()) CHECK(whole.starts_with("x.jpg: "));
  return whole;
}

// A grey JPEG of 64 x 64 pixels, 64 blocks, whose tables stand before the frame.
Bytes grey(const Bytes& before_scan, const Bytes& data = grey_blocks(64)) {
  return jpeg({quantization(), huffman(0), huffman(1), before_scan, frame(64, 64), scan(), data});
}

}  // namespace

TEST_CASE("JPEG: by hand, and whole") {
  CHECK(verdict(grey({})) == "");
  const Image image = decode_image(grey({}), "x.jpg");
  CHECK(image.width == 64);
  CHECK(image.rgb == Bytes(3 * 64 * 64, 128));
  CHECK(verdict(grey(segment(0xFE, {'h', 'i'}))) == "");
  CHECK(verdict(grey({}, [] {
          Bytes b = grey_blocks(64);
          b.resize(b.size() + 40);  // as some cameras fill up
          return b;
        }())) == "");
  // Behind the end anything may follow.
  Bytes more = grey({});
  more.resize(more.size() + 1000, 0xFF);
  CHECK(verdict(more) == "");
}

TEST_CASE("JPEG: a table that is named and not there") {
  const Bytes q = quantization(), dc = huffman(0), ac = huffman(1), f = frame(64, 64);
  const Bytes data = grey_blocks(64);
  CHECK(has(verdict(jpeg({f, scan(), data})), "quantization table 0 of component 1 is missing"));
  CHECK(has(verdict(jpeg({q, f, scan(), data})), "DC Huffman table 0 of component 1 is missing"));
  CHECK(
      has(verdict(jpeg({q, dc, f, scan(), data})), "AC Huffman table 0 of component 1 is missing"));
  CHECK(has(verdict(jpeg({q, ac, f, scan(), data})), "DC Huffman table 0"));
  CHECK(has(verdict(jpeg({quantization(1), dc, ac, f, scan(), data})), "quantization table 0"));
  CHECK(has(verdict(jpeg({q, huffman(0, 0, 2), ac, f, scan(), data})), "DC Huffman table 0"));
  // 35 bytes: a frame and a scan of numbers, and no table at all.
  const Bytes small = {0xff, 0xd8, 0xff, 0xc0, 0x00, 0x0b, 0x08, 0x00, 0x40, 0x00, 0x40, 0x01,
                       0x01, 0x11, 0x00, 0xff, 0xda, 0x00, 0x08, 0x01, 0x01, 0x00, 0x00, 0x3f,
                       0x00, 0x5a, 0x3c, 0x11, 0x77, 0x5a, 0x3c, 0x11, 0x77, 0xff, 0xd9};
  CHECK(has(verdict(small), "is missing"));
  Bytes progressive = frame(64, 64, {0x11}, 0xC2);
  CHECK(has(verdict(jpeg({q, progressive, scan({1}, 0, 0), data})), "DC Huffman table 0"));
}

TEST_CASE("JPEG: segments that contradict each other") {
  const Bytes q = quantization(), dc = huffman(0), ac = huffman(1), f = frame(64, 64);
  const Bytes data = grey_blocks(64);
  const auto error = [&](std::initializer_list<Bytes> parts) { return verdict(jpeg(parts)); };
  CHECK(has(error({q, dc, ac, scan(), data}), "a scan comes before the frame"));
  CHECK(has(error({q, dc, ac, f, f, scan(), data}), "two frames"));
  CHECK(has(error({q, dc, ac}), "no frame"));
  CHECK(has(error({q, dc, ac, f}), "component 1 is in no scan"));
  CHECK(has(error({q, dc, ac, f, scan(), data, scan(), data}), "in two scans"));
  CHECK(has(error({q, dc, ac, f, scan({2}), data}), "component 2, which the frame does not have"));
  CHECK(has(error({q, dc, ac, f, scan({1}, 1, 63), data}), "has no place here"));
  CHECK(has(error({q, dc, ac, frame(64, 64, {0x11, 0x11}), scan({1, 2}), data}), "2 components"));
  CHECK(has(error({q, dc, ac, frame(64, 64, {0x31, 0x21, 0x11}), scan({1, 2, 3}), data}),
            "not a whole multiple"));
  CHECK(has(error({q, dc, ac, frame(64, 64, {0x44, 0x11, 0x11}), scan({1, 2, 3}), data}),
            "18 blocks at a time"));
  CHECK(has(error({q, dc, ac, frame(64, 64, {0x10}), scan(), data}), "sampling 1 x 0"));
  CHECK(has(error({q, dc, ac, frame(64, 64, {0x11, 0x11, 0x11}), scan({1, 2, 2}), data}), "twice"));
  CHECK(has(error({q, dc, ac, frame(0, 64), scan(), data}), "0 x 64"));
  CHECK(has(error({q, dc, ac, frame(65535, 20), scan(), data}), "at most 65500 a side"));
  CHECK(has(error({q, dc, ac, f, scan(), data, q}), "comes again after a scan"));
  CHECK(has(error({q, dc, ac, f, segment(0xDD, {1}), scan(), data}), "restart interval"));
  CHECK(has(error({q, dc, ac, f, segment(0xDC, be16(63)), scan(), data}), "number of lines"));
  CHECK(has(error({q, huffman(0, 16), ac, f, scan(), data}), "more than 15 bits"));
  // Markers without a length: what follows them is no length. And a height that comes later.
  CHECK(has(error({q, dc, ac, {0xFF, 0xD8}, f, scan(), data}), "a second picture begins"));
  CHECK(has(error({q, {0xFF, 0xD3}, dc, ac, f, scan(), data}), "marker d3 has no place here"));
  CHECK(has(error({q, dc, ac, f, {0xFF, 0x01}, scan(), data}), "marker 01 has no place here"));
  CHECK(has(error({q, dc, ac, frame(64, 0), scan(), data, segment(0xDC, be16(64))}),
            "its height is to follow"));
  Bytes full = huffman(1);
  full[5] = 2;  // two codes of one bit: nothing is left
  full.insert(full.end() - 1, 0);
  full[3] = 21;
  CHECK(has(error({q, dc, full, f, scan(), data}), "more codes of a length"));
}

TEST_CASE("JPEG: a part of the picture is missing") {
  for (int blocks = 0; blocks < 60; blocks += 4) {
    CAPTURE(blocks);
    CHECK(has(verdict(grey({}, grey_blocks(blocks))), "the JPEG is incomplete"));
  }
  // Far more blocks than the file can hold: refused before memory is asked for.
  CHECK(has(verdict(jpeg({quantization(), huffman(0), huffman(1), frame(9000, 9000), scan(), {0}})),
            "a scan of 1265625 blocks cannot be in the"));
  // Zeros in place of the end: a code of zeros stands for something, so that the picture needs less
  // than there is. What is left over tells.
  CHECK(has(verdict(grey({}, Bytes(200, 0))),
            "goes on for 184 bytes after the last of its 64 parts"));
  for (const char* name : {"rgb.jpg", "grey.jpg", "cmyk.jpg", "progressive.jpg"}) {
    const Bytes whole = golden(name);
    int refused = 0, tried = 0;
    for (std::size_t from = whole.size() - 100; from + 3 < whole.size(); ++from, ++tried) {
      Bytes zeros = whole, cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(from));
      std::fill(zeros.begin() + static_cast<std::ptrdiff_t>(from), zeros.end() - 2, 0);
      refused += !verdict(zeros).empty();
      add(cut, {0xFF, 0xD9});
      CHECK(verdict(cut) != "");
    }
    CHECK(refused > tried / 2);
  }
}

TEST_CASE("JPEG: restart markers") {
  const auto with_restarts = [](std::initializer_list<int> markers, int pieces) {
    Bytes data;  // 16 x 8 pixels a piece: two blocks
    auto marker = markers.begin();
    for (int p = 0; p < pieces; ++p) {
      add(data, grey_blocks(2));
      if (p + 1 < pieces && marker != markers.end())
        add(data, {0xFF, static_cast<std::uint8_t>(0xD0 + *marker++)});
    }
    return jpeg({quantization(), huffman(0), huffman(1), segment(0xDD, be16(2)), frame(64, 8),
                 scan(), data});
  };
  CHECK(verdict(with_restarts({0, 1, 2}, 4)) == "");
  CHECK(has(verdict(with_restarts({0, 2, 1}, 4)), "restart marker 1 is missing"));
  CHECK(has(verdict(with_restarts({0, 1}, 3)), "JPEG is incomplete"));
  CHECK(has(verdict(with_restarts({}, 4)), "JPEG is incomplete"));
  Bytes more;  // a whole byte too much before a marker
  add(more, {0x0F, 0x00, 0xFF, 0xD0, 0x0F});
  CHECK(has(verdict(jpeg({quantization(), huffman(0), huffman(1), segment(0xDD, be16(2)),
                          frame(32, 8), scan(), more})),
            "too much data before a restart marker"));
}

TEST_CASE("JPEG: of a progressive picture every bit of every coefficient") {
  const Bytes tables = [] {
    Bytes b = quantization();
    add(b, huffman(0));
    add(b, huffman(1));
    add(b, frame(64, 64, {0x11}, 0xC2));
    return b;
  }();
  const Bytes dc(8, 0);       // 64 blocks of the code 0
  const Bytes nothing(8, 0);  // 64 times "this block ends"
  const auto error = [&](std::initializer_list<Bytes> scans) {
    Bytes all = tables;
    for (const Bytes& s : scans) add(all, s);
    return verdict(jpeg({all}));
  };
  const auto with = [](Bytes head, const Bytes& data) {
    add(head, data);
    return head;
  };
  const Bytes first = with(scan({1}, 0, 0), dc), rest = with(scan({1}, 1, 63), nothing);
  CHECK(error({first, rest}) == "");
  CHECK(has(error({first}), "no scan holds the first bit of coefficient 1 of component 1"));
  CHECK(has(error({rest, first}), "out of order"));
  CHECK(has(error({first, first, rest}), "out of order"));
  CHECK(has(error({first, with(scan({1}, 1, 62), nothing)}), "coefficient 63"));
  CHECK(has(error({with(scan({1}, 0, 0, 0x01), dc), rest}), "the last bit of coefficient 0"));
  CHECK(error({with(scan({1}, 0, 0, 0x01), dc), with(scan({1}, 0, 0, 0x10), dc), rest}) == "");
  CHECK(error({first, with(scan({1}, 1, 63, 0x01), nothing),
               with(scan({1}, 1, 63, 0x10), nothing)}) == "");
  CHECK(has(error({first, with(scan({1}, 1, 63, 0x10), nothing)}), "out of order"));
  CHECK(has(error({with(scan({1}, 0, 63), dc)}), "has no place here"));
  CHECK(has(error({first, with(scan({1}, 1, 64), nothing)}), "has no place here"));
  CHECK(has(error({first, with(scan({1}, 1, 63), Bytes(7, 0))}), "JPEG is incomplete"));
}

TEST_CASE("JPEG: four components mean nothing without Adobe's marker") {
  Bytes cmyk = golden("cmyk.jpg");
  CHECK(verdict(cmyk) == "");
  for (std::size_t at = 2; at + 1 < cmyk.size(); ++at)
    if (cmyk[at] == 0xFF && cmyk[at + 1] == 0xEE) cmyk[at + 1] = 0xED;
  CHECK(has(verdict(cmyk), "without Adobe's marker"));
}

TEST_CASE("JPEG: damage anywhere has the same verdict from every decoder") {
  for (const char* name : {"rgb.jpg", "progressive.jpg", "grey.jpg", "cmyk.jpg"}) {
    const Bytes whole = golden(name);
    int refused = 0, decoded = 0;
    for (std::uint64_t trial = 0; trial < 1500; ++trial) {
      CAPTURE(name);
      CAPTURE(trial);
      Bytes bytes = whole;
      const PhiloxWords w = philox_block({23, 0}, trial);
      const std::uint64_t changes = 1 + trial % 4;
      for (std::uint64_t i = 0; i < changes; ++i)
        bytes[(w.v[i] >> 8) % bytes.size()] ^= static_cast<std::uint8_t>(1u << w.v[i] % 8);
      (verdict(bytes).empty() ? decoded : refused)++;
    }
    CHECK(refused > 100);
    CHECK(decoded > 10);
  }
}

TEST_CASE("PNG: by hand, and whole, of each kind") {
  const auto of = [](std::uint32_t w, std::uint32_t h, int depth, int colour, std::size_t row) {
    return png({header(w, h, depth, colour), chunk("IDAT", compressed(Bytes(h * (1 + row), 0)))});
  };
  CHECK(verdict(of(9, 3, 1, 0, 2)) == "");
  CHECK(verdict(of(9, 3, 2, 0, 3)) == "");
  CHECK(verdict(of(9, 3, 4, 0, 5)) == "");
  CHECK(verdict(of(9, 3, 8, 2, 27)) == "");
  CHECK(verdict(of(9, 3, 16, 6, 72)) == "");
  CHECK(verdict(of(9, 3, 8, 4, 18)) == "");
  // Adam7 of 3 x 3: pixels 1, 0, 0, 1 + 1, 1 + 1 ... in rows of their own.
  CHECK(verdict(png({header(1, 1, 8, 0, 1), chunk("IDAT", compressed({0, 7}))})) == "");
  const Bytes seven = {0, 1, 0, 2, 0, 3, 4, 0, 5, 0, 6, 0, 7, 8, 9};
  const Bytes interlaced = png({header(3, 3, 8, 0, 1), chunk("IDAT", compressed(seven))});
  CHECK(verdict(interlaced) == "");
  // In several pieces, also empty ones.
  const Bytes all = compressed(Bytes(3 * 10, 0));
  CHECK(verdict(png({header(9, 3, 8, 0), chunk("IDAT", {all.begin(), all.begin() + 3}),
                     chunk("IDAT", {}), chunk("IDAT", {all.begin() + 3, all.end()})})) == "");
}

TEST_CASE("PNG: what the decoder does not look at") {
  const Bytes rows(8 * 9, 0), head = header(8, 8, 8, 0), data = compressed(rows);
  const auto error = [&](std::initializer_list<Bytes> chunks) {
    const std::string message = verdict(png(chunks));
    CHECK(message != "");
    return message;
  };
  // A block of a kind that does not exist: stb_image refuses it without giving a reason.
  CHECK(has(error({head, chunk("IDAT", {0x78, 0x9c, 0x07, 0, 0, 0, 0})}), "invalid block type"));
  CHECK(has(error({head}), "no picture"));
  CHECK(has(error({head, chunk("IDAT", {})}), "incomplete"));
  CHECK(has(error({head, chunk("IDAT", {1, 2, 3})}), "compressed data"));
  CHECK(has(error({head, chunk("IDAT", {data.begin(), data.end() - 1})}), "incomplete"));
  Bytes sum = data;
  sum.back() ^= 1;
  CHECK(has(error({head, chunk("IDAT", sum)}), "incorrect data check"));
  CHECK(has(error({head, chunk("IDAT", compressed(Bytes(8 * 9 - 1, 0)))}), "ends in row 7 of 8"));
  CHECK(
      has(error({head, chunk("IDAT", compressed(Bytes(8 * 9 + 1, 0)))}), "more than the picture"));
  Bytes filter = rows;
  filter[18] = 5;
  CHECK(has(error({head, chunk("IDAT", compressed(filter))}), "row 2 has filter 5"));
  CHECK(has(error({head, head, chunk("IDAT", data)}), "two headers"));
  CHECK(
      has(error({chunk("tEXt", {}), head, chunk("IDAT", data)}), "does not begin with its header"));
  CHECK(has(error({head, chunk("ABCD", {}), chunk("IDAT", data)}), "\"ABCD\", which is not known"));
  CHECK(has(error({head, chunk("IDAT", {data.begin(), data.begin() + 5}), chunk("tEXt", {}),
                   chunk("IDAT", {data.begin() + 5, data.end()})}),
            "in two places"));
  CHECK(has(error({head, chunk("PLTE", {1, 2, 3}), chunk("IDAT", data)}), "palette of 3 bytes"));
  for (const auto& [depth, colour] : {std::pair{3, 0}, {16, 3}, {4, 2}, {8, 1}, {8, 5}, {8, 7}})
    CHECK(has(error({header(8, 8, depth, colour), chunk("IDAT", data)}), "its header names"));
  CHECK(has(error({header(8, 8, 8, 0, 2), chunk("IDAT", data)}), "interlace 2"));
  CHECK(has(error({header(0, 8, 8, 0), chunk("IDAT", data)}), "0 x 8"));
  CHECK(has(error({header(0xFFFFFFFF, 0xFFFFFFFF, 8, 2)}),
            "4294967295 x 4294967295 = 18446744065119617025 pixels"));
  // 33 bytes that promise 100 million pixels, and 60 that hold none.
  CHECK(has(error({header(10000, 10000, 8, 2), chunk("IDAT", data)}), "ends in row 0 of 10000"));
}

TEST_CASE("PNG: a colour that is not in the palette") {
  const Bytes four = {10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120};
  const auto palette = [&](int depth, const Bytes& row, const Bytes& colours) {
    return png({header(4, 1, depth, 3), chunk("PLTE", colours), chunk("IDAT", compressed(row))});
  };
  CHECK(verdict(palette(8, {0, 0, 1, 2, 3}, four)) == "");
  CHECK(verdict(palette(2, {0, 0b00011011}, four)) == "");
  CHECK(has(verdict(palette(8, {0, 0, 1, 2, 4}, four)), "colour 4 of a palette of 4"));
  CHECK(has(verdict(palette(4, {0, 0x01, 0x2f}, four)), "colour 15 of a palette of 4"));
  CHECK(has(verdict(palette(8, {1, 1, 1, 1, 1}, four)), "colour 4"));  // 1, 2, 3, 4: differences
  CHECK(has(verdict(palette(8, {0, 0, 0, 0, 0}, {})), "palette of 0 bytes"));
  CHECK(has(verdict(palette(1, {0, 0}, four)), "palette of 12 bytes"));
  CHECK(has(verdict(png({header(4, 1, 8, 3), chunk("IDAT", compressed({0, 0, 0, 0, 0}))})),
            "palette is missing"));
  CHECK(has(verdict(png({header(4, 1, 8, 3), chunk("PLTE", four), chunk("tRNS", Bytes(5, 0)),
                         chunk("IDAT", compressed({0, 0, 1, 2, 3}))})),
            "transparency of 5 bytes"));
}

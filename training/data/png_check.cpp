// The chunks of a PNG (ISO/IEC 15948) and, row by row, the compressed picture in them.
#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "training/data/image_check.h"
#include "training/data/orientation.h"

namespace limulus {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::uint32_t kMostPngSide = 65535;

std::uint32_t number(Bytes b, std::size_t at) {
  return std::uint32_t{b[at]} << 24 | b[at + 1] << 16 | b[at + 2] << 8 | b[at + 3];
}

// The contents of all IDAT chunks, unpacked a piece at a time.
class PictureData {
 public:
  PictureData(const std::vector<Bytes>& chunks, const std::string& name)
      : chunks_(chunks), name_(name) {
    if (::inflateInit(&stream_) != Z_OK) throw FileError(fmt::format("{}: out of memory", name));
  }
  ~PictureData() { ::inflateEnd(&stream_); }
  PictureData(const PictureData&) = delete;
  PictureData& operator=(const PictureData&) = delete;

  // How many of `size` bytes came before the data ended.
  std::size_t read(std::uint8_t* to, std::size_t size) {
    stream_.next_out = to;
    stream_.avail_out = static_cast<uInt>(size);
    while (stream_.avail_out > 0 && !ended_) {
      if (stream_.avail_in == 0 && chunk_ < chunks_.size()) {
        // zlib does not write to it.
        stream_.next_in = const_cast<std::uint8_t*>(chunks_[chunk_].data());
        stream_.avail_in = static_cast<uInt>(chunks_[chunk_++].size());
        continue;
      }
      const int state = ::inflate(&stream_, Z_NO_FLUSH);
      ended_ = state == Z_STREAM_END;
      if (state == Z_BUF_ERROR) break;  // the chunks have no more
      if (state != Z_OK && !ended_)
        throw FileError(fmt::format("{}: the PNG is damaged: its compressed data: {}", name_,
                                    stream_.msg != nullptr ? stream_.msg : "no zlib stream"));
    }
    return size - stream_.avail_out;
  }
  bool ended() const { return ended_; }

 private:
  const std::vector<Bytes>& chunks_;
  const std::string& name_;
  std::size_t chunk_ = 0;
  z_stream stream_{};
  bool ended_ = false;
};

struct Header {
  std::uint32_t width = 0, height = 0;
  int depth = 0, colour = 0, interlaced = 0;

  // Colour: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha.
  bool known() const {
    switch (colour) {
      case 0:
        return depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16;
      case 3:
        return depth == 1 || depth == 2 || depth == 4 || depth == 8;
      case 2:
      case 4:
      case 6:
        return depth == 8 || depth == 16;
      default:
        return false;
    }
  }
  int channels() const { return colour == 2 ? 3 : colour == 4 ? 2 : colour == 6 ? 4 : 1; }
  std::size_t row_bytes(std::uint32_t columns) const {
    return (std::size_t{columns} * static_cast<std::size_t>(depth * channels()) + 7) / 8;
  }
};

class PngCheck {
 public:
  PngCheck(Bytes bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  ImageFacts run() {
    for (std::size_t at = 8; !ended_;) {
      const std::size_t left = bytes_.size() - at;
      const std::uint64_t length = left >= 8 ? number(bytes_, at) : 0;
      if (left < 12 || length > left - 12)
        throw FileError(
            fmt::format("{}: the PNG is incomplete: a chunk of 12 + {} bytes does not fit in the "
                        "last {}, the file was cut",
                        name_, length, left));
      const auto sum =
          ::crc32(0, bytes_.data() + at + 4, static_cast<uInt>(length + 4));  // kind and contents
      if (sum != number(bytes_, at + 8 + length))
        bad(fmt::format("a chunk at byte {} has a wrong checksum", at));
      take(std::string_view(reinterpret_cast<const char*>(bytes_.data()) + at + 4, 4),
           bytes_.subspan(at + 8, length));
      at += 12 + length;
    }
    if (pieces_.empty()) bad("it holds no picture (no IDAT chunk)");
    if (header_.colour == 3 && colours_ == 0) bad("its palette is missing");
    check_rows();
    return facts_;
  }

 private:
  [[noreturn]] void bad(const std::string& what) const {
    throw FileError(fmt::format("{}: the PNG is damaged: {}", name_, what));
  }

  void take(std::string_view kind, Bytes s) {
    if (header_.width == 0 && kind != "IHDR")
      throw FileError(fmt::format("{}: the PNG does not begin with its header", name_));
    if (kind == "IHDR") return take_header(s);
    if (kind == "IDAT") {
      if (picture_over_) bad("its picture is in two places");
      pieces_.push_back(s);
      return;
    }
    picture_over_ = !pieces_.empty();
    if (kind == "IEND") {
      ended_ = true;
    } else if (kind == "PLTE") {
      const std::size_t most = header_.colour == 3 ? std::size_t{1} << header_.depth : 256;
      if (colours_ > 0 || picture_over_ || header_.colour == 0 || header_.colour == 4 ||
          s.empty() || s.size() % 3 != 0 || s.size() / 3 > most)
        bad(fmt::format("a palette of {} bytes has no place here", s.size()));
      colours_ = s.size() / 3;
    } else if (kind == "tRNS") {
      const std::size_t wanted = header_.colour == 0 ? 2 : header_.colour == 2 ? 6 : s.size();
      if (transparent_ || picture_over_ || header_.colour >= 4 || s.size() != wanted ||
          (header_.colour == 3 && s.size() > colours_))
        bad(fmt::format("a transparency of {} bytes has no place here", s.size()));
      transparent_ = true;
    } else if (kind == "eXIf") {
      // Some programs begin it as in a JPEG, and viewers turn such a picture, too.
      constexpr std::string_view kAsInJpeg("Exif\0\0", 6);
      const bool prefixed =
          s.size() >= kAsInJpeg.size() &&
          std::equal(kAsInJpeg.begin(), kAsInJpeg.end(), s.begin(),
                     [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; });
      if (!exif_) facts_.orientation = exif_orientation(prefixed ? s.subspan(6) : s);
      exif_ = true;
    } else if (!(kind[0] & 0x20)) {  // an upper case letter: nobody may skip it
      bad(fmt::format("it has a chunk \"{}\", which is not known", kind));
    }
  }

  void take_header(Bytes s) {
    if (header_.width != 0) bad("it has two headers");
    if (s.size() != 13)
      throw FileError(fmt::format("{}: the PNG does not begin with its header", name_));
    check_image_size(number(s, 0), number(s, 4), kMostPngSide, name_);
    header_ = {number(s, 0), number(s, 4), s[8], s[9], s[12]};
    if (!header_.known() || s[10] != 0 || s[11] != 0 || s[12] > 1)
      bad(
          fmt::format("its header names {} bits, colour type {}, compression {}, filter {} and "
                      "interlace {}",
                      s[8], s[9], s[10], s[11], s[12]));
  }

  // An interlaced picture is seven small ones, one after another (Adam7): pixels from (x, y) on, in
  // steps.
  void check_rows() {
    PictureData data(pieces_, name_);
    struct Pass {
      std::uint32_t x, y, dx, dy;
    };
    static constexpr Pass kWhole[] = {{0, 0, 1, 1}};
    static constexpr Pass kSeven[] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                                      {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
    const std::span<const Pass> passes =
        header_.interlaced != 0 ? std::span<const Pass>(kSeven) : std::span<const Pass>(kWhole);
    for (const Pass& p : passes) {
      const auto count = [](std::uint32_t size, std::uint32_t from, std::uint32_t step) {
        return size > from ? (size - from + step - 1) / step : 0;
      };
      const std::uint32_t columns = count(header_.width, p.x, p.dx);
      const std::uint32_t rows = count(header_.height, p.y, p.dy);
      if (columns > 0) check_pass(data, columns, rows);
    }
    std::uint8_t more = 0;
    if (data.read(&more, 1) != 0) bad("its compressed data holds more than the picture");
    if (!data.ended())
      throw FileError(
          fmt::format("{}: the PNG is incomplete: its compressed data has no end", name_));
  }

  void check_pass(PictureData& data, std::uint32_t columns, std::uint32_t rows) {
    const std::size_t bytes = header_.row_bytes(columns);
    std::vector<std::uint8_t> row(1 + bytes), above(1 + bytes);  // the filter's number comes first
    for (std::uint32_t y = 0; y < rows; ++y) {
      if (data.read(row.data(), row.size()) != row.size())
        throw FileError(fmt::format(
            "{}: the PNG is incomplete: its compressed data ends in row {} of {}", name_, y, rows));
      if (row[0] > 4) bad(fmt::format("row {} has filter {}, and 4 is the last", y, row[0]));
      if (header_.colour != 3) continue;
      unfilter(row, above);
      check_indices(row, columns);
      std::swap(row, above);
    }
  }

  // What the filter took off each byte: the byte to the left, above, their mean, or Paeth's choice.
  static void unfilter(std::vector<std::uint8_t>& row, const std::vector<std::uint8_t>& above) {
    const int filter = row[0];
    for (std::size_t i = 1; i < row.size(); ++i) {
      const int a = i > 1 ? row[i - 1] : 0, b = above[i], c = i > 1 ? above[i - 1] : 0;
      const int pa = std::abs(b - c), pb = std::abs(a - c), pc = std::abs(a + b - 2 * c);
      const int paeth = pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
      const int added[] = {0, a, b, (a + b) / 2, paeth};
      row[i] = static_cast<std::uint8_t>(row[i] + added[filter]);
    }
  }

  void check_indices(const std::vector<std::uint8_t>& row, std::uint32_t columns) const {
    const auto depth = static_cast<std::uint32_t>(header_.depth);
    if (colours_ == std::size_t{1} << depth) return;
    for (std::uint32_t x = 0; x < columns; ++x) {
      const std::uint32_t bit = x * depth;
      const std::uint32_t index = row[1 + bit / 8] >> (8 - depth - bit % 8) & ((1u << depth) - 1);
      if (index >= colours_)
        bad(fmt::format("a pixel has colour {} of a palette of {}", index, colours_));
    }
  }

  Bytes bytes_;
  const std::string& name_;
  Header header_;
  ImageFacts facts_;
  std::vector<Bytes> pieces_;
  std::size_t colours_ = 0;
  bool ended_ = false, picture_over_ = false, transparent_ = false, exif_ = false;
};

}  // namespace

ImageFacts check_png(std::span<const std::uint8_t> bytes, const std::string& name) {
  return PngCheck(bytes, name).run();
}

}  // namespace limulus

// The markers of a JPEG (ITU-T T.81, annex B), and what must be defined before each
// scan.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "core/error.h"
#include "training/data/image_check.h"
#include "training/data/jpeg_entropy.h"
#include "training/data/orientation.h"

namespace limulus {
namespace {

using jpeg::Bytes;
using jpeg::Component;

constexpr int kMostScans = 200;                 // of a progressive picture; encoders write about 10
constexpr std::uint32_t kMostJpegSide = 65500;  // libjpeg's limit, taken for all decoders
constexpr int kBlocksOfMcu = 10;

// No length follows the markers up to "temporary", nor those from the first restart marker to the
// end of the picture.
enum Marker : int {
  kTemporary = 0x01,
  kFrameBaseline = 0xC0,
  kFrameProgressive = 0xC2,
  kHuffman = 0xC4,
  kFirstRestart = 0xD0,
  kStart = 0xD8,
  kEnd = 0xD9,
  kScan = 0xDA,
  kQuantization = 0xDB,
  kLines = 0xDC,
  kRestart = 0xDD,
  kApplication = 0xE0,
  kExif = 0xE1,
  kAdobe = 0xEE,
  kComment = 0xFE
};

class JpegCheck {
 public:
  JpegCheck(Bytes bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  ImageFacts run() {
    at_ = 2;  // behind "start of image"
    for (int marker = next_marker(); marker != kEnd; marker = next_marker()) {
      if (marker == kStart) bad("a second picture begins before the first has ended");
      if (marker <= kTemporary || (marker >= kFirstRestart && marker < kStart)) misplaced(marker);
      if (bytes_.size() - at_ < 2) cut();
      const std::size_t length = bytes_[at_] << 8 | bytes_[at_ + 1];
      if (length < 2) bad(fmt::format("a segment has the length {}", length));
      if (length > bytes_.size() - at_) cut();
      const Bytes segment = bytes_.subspan(at_ + 2, length - 2);
      at_ += length;
      take(marker, segment);
    }
    finish();
    return facts_;
  }

 private:
  [[noreturn]] void bad(const std::string& what) const {
    throw FileError(fmt::format("{}: the JPEG is damaged: {}", name_, what));
  }
  [[noreturn]] void incomplete(const std::string& what) const {
    throw FileError(fmt::format("{}: the JPEG is incomplete: {}", name_, what));
  }
  [[noreturn]] void misplaced(int marker) const {
    bad(fmt::format("marker {:02x} has no place here", marker));
  }
  [[noreturn]] void cut() const {
    incomplete(fmt::format("its {} bytes hold no end marker, the file was cut", bytes_.size()));
  }

  // Decoders skip stray bytes before the frame. Behind it, a marker must follow a segment at once.
  int next_marker() {
    const std::size_t begin = at_;
    while (at_ < bytes_.size() && bytes_[at_] != 0xFF) ++at_;
    if (at_ > begin && !components_.empty() && at_ < bytes_.size())
      bad(fmt::format("{} bytes at {} belong to no segment", at_ - begin, begin));
    while (at_ < bytes_.size() && bytes_[at_] == 0xFF) ++at_;
    if (at_ >= bytes_.size()) cut();
    return bytes_[at_++];
  }

  void take(int marker, Bytes s) {
    const bool frame =
        marker >= 0xC0 && marker <= 0xCF && marker != kHuffman && marker != 0xC8 && marker != 0xCC;
    if (frame) return take_frame(marker, s);
    if (marker == kHuffman) return take_huffman(s);
    if (marker == kQuantization) return take_quantization(s);
    if (marker == kScan) return take_scan(s);
    if (marker == kRestart) {
      if (s.size() != 2) bad("a restart interval of a wrong length");
      restart_ = s[0] << 8 | s[1];
      return;
    }
    if (marker == kLines) {
      if (s.size() != 2 || components_.empty() || (s[0] << 8 | s[1]) != height_)
        bad("a number of lines that is not the frame's");
      return;
    }
    if (marker == kExif) return take_exif(s);
    if (marker == kAdobe) return take_adobe(s);
    if (marker == kApplication) {
      jfif_ = jfif_ || begins(s, std::string_view("JFIF\0", 5));
      return;
    }
    if (marker == kComment || (marker > kApplication && marker <= 0xEF)) return;
    misplaced(marker);
  }

  static bool begins(Bytes s, std::string_view text) {
    return s.size() >= text.size() &&
           std::equal(text.begin(), text.end(), s.begin(),
                      [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; });
  }

  // The first EXIF data counts; there may be several, and XMP in segments of the same marker.
  void take_exif(Bytes s) {
    constexpr std::string_view kBegin("Exif\0\0", 6);
    if (exif_ || scans_ > 0 || !begins(s, kBegin)) return;
    exif_ = true;
    facts_.orientation = exif_orientation(s.subspan(kBegin.size()));
  }

  void take_adobe(Bytes s) {
    if (s.size() >= 12 && begins(s, std::string_view("Adobe\0", 6))) transform_ = s[11];
  }

  // Number and precision (0: bytes, 1: 16 bits), then 64 values; several in one segment.
  void take_quantization(Bytes s) {
    for (std::size_t at = 0; at < s.size();) {
      const int number = s[at] & 15, wide = s[at] >> 4;
      const std::size_t length = wide == 1 ? 128 : 64;
      if (number > 3 || wide > 1 || s.size() - at - 1 < length)
        bad(fmt::format("a quantization table in a segment of {} bytes", s.size()));
      const Bytes values = s.subspan(at + 1, length);
      // A decoder may use the values as a scan is read, or when all scans have been.
      for (const Component& c : components_)
        if (c.quantization == number && (c.seen || c.lowest_bit[0] >= 0))
          bad(fmt::format("quantization table {} comes again after a scan that uses it", number));
      if (std::all_of(values.begin(), values.end(), [](std::uint8_t v) { return v == 0; }))
        bad(fmt::format("quantization table {} is all 0", number));
      quantization_[static_cast<std::size_t>(number)] = true;
      at += 1 + length;
    }
  }

  // Class (0: DC, 1: AC) and number, 16 counts, the symbols; several in one segment.
  void take_huffman(Bytes s) {
    for (std::size_t at = 0; at < s.size();) {
      int codes = 0;
      for (std::size_t i = at + 1; i < std::min(at + 17, s.size()); ++i) codes += s[i];
      const std::size_t end = at + 17 + static_cast<std::size_t>(codes);
      if (codes > 256 || end > s.size())
        bad(fmt::format("a Huffman table of {} codes in a segment of {} bytes", codes, s.size()));
      const int kind = s[at] >> 4, number = s[at] & 15;
      if (kind > 1 || number > 3) bad(fmt::format("a Huffman table number {:02x}", s[at]));
      const Bytes symbols = s.subspan(at + 17, static_cast<std::size_t>(codes));
      if (kind == 0 && std::any_of(symbols.begin(), symbols.end(), [](int v) { return v > 15; }))
        bad("a Huffman table gives a DC coefficient more than 15 bits");
      auto& table = (kind == 0 ? dc_ : ac_)[static_cast<std::size_t>(number)];
      if (!jpeg::make_table(s.subspan(at + 1, 16), symbols, &table))
        bad("a Huffman table has more codes of a length than there can be");
      at = end;
    }
  }

  void take_frame(int marker, Bytes s) {
    if (!components_.empty()) bad("there are two frames");
    if (s.size() < 6) bad(fmt::format("a frame of {} bytes", s.size()));
    if (marker > kFrameProgressive || s[0] != 8)
      throw FileError(
          fmt::format("{}: this kind of JPEG is not supported (frame type {:02x}, {} bits): only "
                      "baseline and progressive with 8 bits",
                      name_, marker, s[0]));
    height_ = s[1] << 8 | s[2];
    const int width = s[3] << 8 | s[4], n = s[5];
    if (height_ == 0)
      throw FileError(
          fmt::format("{}: this kind of JPEG is not supported: {} x 0 pixels, its height is to "
                      "follow the first scan",
                      name_, width));
    check_image_size(static_cast<std::uint32_t>(width), static_cast<std::uint32_t>(height_),
                     kMostJpegSide, name_);
    if (n != 1 && n != 3 && n != 4)
      throw FileError(
          fmt::format("{}: a JPEG of {} components: only 1, 3 and 4 are supported", name_, n));
    if (s.size() != 6 + 3 * static_cast<std::size_t>(n)) bad("a frame of a wrong length");
    progressive_ = marker == kFrameProgressive;
    int most_h = 1, most_v = 1;
    for (int c = 0; c < n; ++c) {
      const Bytes of = s.subspan(6 + 3 * static_cast<std::size_t>(c), 3);
      Component component{of[0], of[1] >> 4, of[1] & 15, of[2], 0, 0, false, {}, {}};
      component.lowest_bit.fill(-1);
      if (component.h < 1 || component.h > 4 || component.v < 1 || component.v > 4 || of[2] > 3)
        bad(fmt::format("component {} has sampling {} x {} and quantization table {}", of[0],
                        component.h, component.v, of[2]));
      for (const Component& other : components_)
        if (other.id == component.id) bad(fmt::format("component {} occurs twice", of[0]));
      most_h = std::max(most_h, component.h);
      most_v = std::max(most_v, component.v);
      components_.push_back(std::move(component));
    }
    const auto ceil_div = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
    for (Component& c : components_) {
      if (most_h % c.h != 0 || most_v % c.v != 0)
        throw FileError(fmt::format(
            "{}: this kind of JPEG is not supported: component {} is sampled {} x {} where others "
            "are sampled {} x {}, which is not a whole multiple",
            name_, c.id, c.h, c.v, most_h, most_v));
      c.columns = ceil_div(ceil_div(std::int64_t{width} * c.h, most_h), 8);
      c.rows = ceil_div(ceil_div(std::int64_t{height_} * c.v, most_v), 8);
    }
    mcus_ = ceil_div(width, 8 * most_h) * ceil_div(height_, 8 * most_v);
    facts_.components = n;
    rgb_ids_ =
        n == 3 && components_[0].id == 'R' && components_[1].id == 'G' && components_[2].id == 'B';
  }

  void take_scan(Bytes s) {
    if (components_.empty()) bad("a scan comes before the frame");
    const std::size_t n = s.empty() ? 0 : s[0];
    if (n < 1 || n > components_.size() || s.size() != 4 + 2 * n)
      bad("a scan's header of a wrong length");
    if (++scans_ > kMostScans) bad(fmt::format("there are more than {} scans", kMostScans));
    jpeg::Scan scan;
    scan.progressive = progressive_;
    scan.first = s[1 + 2 * n];
    scan.last = s[2 + 2 * n];
    scan.high = s[3 + 2 * n] >> 4;
    scan.low = s[3 + 2 * n] & 15;
    scan.restart = restart_;
    check_band(scan, n);
    int blocks = 0;
    for (std::size_t i = 0; i < n; ++i) {
      add_part(s[1 + 2 * i], s[2 + 2 * i], &scan);
      blocks += scan.parts.back().component->h * scan.parts.back().component->v;
    }
    const Component& only = *scan.parts[0].component;
    if (n == 1) blocks = 1;
    if (blocks > kBlocksOfMcu) bad(fmt::format("a scan of {} blocks at a time", blocks));
    scan.mcus = n == 1 ? only.columns * only.rows : mcus_;
    // A block takes a bit at least, two where it has more than one coefficient; bands may be empty.
    const std::int64_t bits = scan.first > 0 ? 0 : progressive_ ? 1 : 2;
    const auto left = static_cast<std::int64_t>(bytes_.size() - at_);
    if (scan.mcus * blocks * bits > 8 * left)
      incomplete(fmt::format("a scan of {} blocks cannot be in the {} bytes that are left",
                             scan.mcus * blocks, left));
    if (scan.first > 0)
      scan.parts[0].component->not_zero.resize(static_cast<std::size_t>(scan.mcus));
    const jpeg::ScanResult read = jpeg::read_scan(bytes_, at_, scan);
    if (!read.trouble.empty()) incomplete(read.trouble);
    at_ = read.end;
  }

  void check_band(const jpeg::Scan& scan, std::size_t parts) const {
    const auto wrong = [&] {
      bad(fmt::format("a scan of coefficients {} to {}, bits {} and {}, has no place here",
                      scan.first, scan.last, scan.high, scan.low));
    };
    if (!progressive_) {
      if (scan.first != 0 || scan.high != 0 || scan.low != 0) wrong();
      return;
    }
    const bool dc = scan.first == 0 && scan.last == 0;
    const bool ac = scan.first > 0 && scan.first <= scan.last && scan.last <= 63 && parts == 1;
    if ((!dc && !ac) || scan.low > 13 || (scan.high != 0 && scan.low != scan.high - 1)) wrong();
  }

  void add_part(int id, int tables, jpeg::Scan* scan) {
    const auto c = std::find_if(components_.begin(), components_.end(),
                                [&](const Component& candidate) { return candidate.id == id; });
    if (c == components_.end())
      bad(fmt::format("a scan of component {}, which the frame does not have", id));
    for (const auto& part : scan->parts)
      if (part.component == &*c) bad(fmt::format("a scan has component {} twice", id));
    if (!quantization_[static_cast<std::size_t>(c->quantization)])
      incomplete(
          fmt::format("quantization table {} of component {} is missing", c->quantization, id));
    const auto table = [&](const std::array<jpeg::HuffmanTable, 4>& tables_of, int number,
                           const char* kind) {
      if (number > 3 || !tables_of[static_cast<std::size_t>(number)].defined)
        incomplete(fmt::format("{} Huffman table {} of component {} is missing", kind, number, id));
      return &tables_of[static_cast<std::size_t>(number)];
    };
    const bool dc = scan->first == 0 && scan->high == 0, ac = !progressive_ || scan->first > 0;
    scan->parts.push_back({&*c, dc ? table(dc_, tables >> 4, "DC") : nullptr,
                           ac ? table(ac_, tables & 15, "AC") : nullptr});
    if ((tables >> 4) > 3 || (tables & 15) > 3) bad("a scan names a Huffman table beyond 3");
    if (!progressive_) {
      if (c->seen) bad(fmt::format("component {} is in two scans", id));
      c->seen = true;
      return;
    }
    for (int k = scan->first; k <= scan->last; ++k) {
      std::int8_t& lowest = c->lowest_bit[static_cast<std::size_t>(k)];
      if ((scan->first > 0 && c->lowest_bit[0] < 0) ||
          lowest != (scan->high == 0 ? -1 : scan->high))
        bad(fmt::format("a scan sends bit {} of coefficient {} of component {} out of order",
                        scan->low, k, id));
      lowest = static_cast<std::int8_t>(scan->low);
    }
  }

  // Is every part of the picture there, and does the file say what its colours mean?
  void finish() {
    if (components_.empty()) throw FileError(fmt::format("{}: the JPEG has no frame", name_));
    for (const Component& c : components_) {
      if (!progressive_ && !c.seen) incomplete(fmt::format("component {} is in no scan", c.id));
      const auto k = std::find_if(c.lowest_bit.begin(), c.lowest_bit.end(),
                                  [](std::int8_t bit) { return bit != 0; });
      if (progressive_ && k != c.lowest_bit.end())
        incomplete(fmt::format("no scan holds the {} bit of coefficient {} of component {}",
                               *k < 0 ? "first" : "last", k - c.lowest_bit.begin(), c.id));
    }
    if (facts_.components == 4 && transform_ != 0 && transform_ != 2)
      throw FileError(fmt::format(
          "{}: this kind of JPEG is not supported: four components without Adobe's marker, which "
          "says what they mean",
          name_));
    facts_.rgb = facts_.components == 3 && (rgb_ids_ || (transform_ == 0 && !jfif_));
  }

  Bytes bytes_;
  const std::string& name_;
  std::size_t at_ = 0;
  ImageFacts facts_;
  std::vector<Component> components_;
  std::array<bool, 4> quantization_{};
  std::array<jpeg::HuffmanTable, 4> dc_, ac_;
  int height_ = 0, restart_ = 0, scans_ = 0, transform_ = -1;
  std::int64_t mcus_ = 0;
  bool progressive_ = false, exif_ = false, jfif_ = false, rgb_ids_ = false;
};

}  // namespace

ImageFacts check_jpeg(std::span<const std::uint8_t> bytes, const std::string& name) {
  return JpegCheck(bytes, name).run();
}

}  // namespace limulus

#include "formats/tar.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

#include "core/error.h"
#include "formats/open_file.h"
#include "formats/read_file.h"

namespace limulus {
namespace {

constexpr std::uint64_t kBlock = 512;
constexpr std::uint64_t kMostText = std::uint64_t{1} << 20;  // of a long name or a pax header

// Where a field begins in a header, and its length.
struct Field {
  std::size_t at, size;
};
constexpr Field kName{0, 100}, kMode{100, 8}, kUid{108, 8}, kGid{116, 8}, kSize{124, 12},
    kTime{136, 12}, kSum{148, 8}, kMagicField{257, 8}, kPrefix{345, 155};
constexpr std::size_t kType = 156;
// What stands there: files (also the old '\0' and '7'), folders, and what says something of the
// next of them.
constexpr char kFile = '0', kContiguous = '7', kFolder = '5', kPax = 'x', kPaxOfAll = 'g',
               kLongName = 'L';

std::string_view view(std::span<const std::uint8_t> header, Field f) {
  return {reinterpret_cast<const char*>(header.data()) + f.at, f.size};
}

// A field's text ends at the first NUL, or at the field's end.
std::string text(std::span<const std::uint8_t> header, Field f) {
  const std::string_view v = view(header, f);
  return std::string(v.substr(0, v.find('\0')));
}

bool is_zero(std::span<const std::uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t b) { return b == 0; });
}

std::uint64_t sum_of(std::span<const std::uint8_t> header) {  // its own field counts as blanks
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kBlock; ++i)
    sum += i >= kSum.at && i < kSum.at + kSum.size ? ' ' : header[i];
  return sum;
}

// Octal digits, perhaps after blanks, then blanks or NULs to the end. False for anything else.
bool octal(std::string_view v, std::uint64_t* value) {
  v.remove_prefix(std::min(v.find_first_not_of(' '), v.size()));
  const auto [end, error] = std::from_chars(v.data(), v.data() + v.size(), *value, 8);
  return error == std::errc() &&
         std::all_of(end, v.data() + v.size(), [](char c) { return c == ' ' || c == '\0'; });
}

std::uint64_t blocks(std::uint64_t size) { return (size + kBlock - 1) / kBlock * kBlock; }

}  // namespace

struct TarReader::Header {
  std::uint64_t at = 0, size = 0;
  char type = kFile;
  std::string name;
  bool end = false;  // a block of zeros

  bool is_member() const { return type == kFile || type == kContiguous || type == kFolder; }
  bool is_about() const { return type == kPax || type == kPaxOfAll || type == kLongName; }
  std::uint64_t begin() const { return at + kBlock; }
  std::uint64_t next() const { return begin() + blocks(size); }
};

// Said of a member by headers before it.
struct TarReader::About {
  bool given = false;
  std::uint64_t begins = 0;  // the first of these headers, or the member's own
  std::string name;
  std::optional<std::uint64_t> size;
};

TarReader::TarReader(const std::filesystem::path& path, std::uint64_t offset)
    : file_(path.string()), open_(std::make_unique<OpenFile>(path)), at_(offset) {}

TarReader::~TarReader() = default;

std::uint64_t TarReader::file_size() const { return open_->size; }

void TarReader::fail(std::uint64_t at, const std::string& what) const {
  throw FileError(fmt::format("{}: at byte {}: {}", file_, at, what));
}

// Headers of small files lie close together, so some blocks are read at a time.
std::span<const std::uint8_t> TarReader::block(std::uint64_t at) {
  if (at > open_->size || open_->size - at < kBlock)
    fail(at, fmt::format("a block of {} bytes begins here, but the file has {} bytes: it was cut, "
                         "or is no tar file",
                         kBlock, open_->size));
  if (at < window_at_ || at + kBlock > window_at_ + window_.size()) {
    constexpr std::uint64_t kWindow = 8 * kBlock;
    window_ = bytes_at(at, std::min(kWindow, open_->size - at));
    window_at_ = at;
  }
  return std::span(window_).subspan(at - window_at_, kBlock);
}

TarReader::Header TarReader::header(std::uint64_t at) {
  const auto bytes = block(at);
  Header h;
  h.at = at;
  if (is_zero(bytes)) {
    h.end = true;
    return h;
  }
  const std::string_view magic = view(bytes, kMagicField);
  const bool posix = magic == std::string_view("ustar\00000", 8);
  if (!posix && magic != std::string_view("ustar  \0", 8))
    fail(at, "no tar header: the word \"ustar\" is missing at its byte 257");
  std::uint64_t sum = 0;
  if (!octal(view(bytes, kSum), &sum)) fail(at, "the header's sum is no octal number");
  if (const std::uint64_t is = sum_of(bytes); is != sum)
    fail(at, fmt::format("the header is damaged: its bytes sum up to {}, but it says {}", is, sum));
  if (!octal(view(bytes, kSize), &h.size))
    fail(at, "the file's size is no octal number of at most 8 GiB");
  h.type = bytes[kType] == 0 ? kFile : static_cast<char>(bytes[kType]);
  h.name = text(bytes, kName);
  if (const std::string prefix = posix ? text(bytes, kPrefix) : ""; !prefix.empty())
    h.name = prefix + "/" + h.name;
  return h;
}

// The contents of a member that says something of the next one.
std::string TarReader::text_of(const Header& h, const char* what) const {
  if (h.size > kMostText)
    fail(h.at, fmt::format("{} of {} bytes; the most is {}", what, h.size, kMostText));
  const auto bytes = read({what, h.at, h.begin(), h.size});
  return {bytes.begin(), bytes.end()};
}

// Records "25 path=a/long/name.jpg\n"; the number is the length of the record, itself included.
void TarReader::read_pax(const Header& h, About* about) const {
  const std::string all = text_of(h, "a pax header");
  for (std::size_t i = 0; i < all.size();) {
    const std::uint64_t at = h.begin() + i;
    std::size_t length = 0;
    const char* const first = all.data() + i;
    const auto [end, error] = std::from_chars(first, all.data() + all.size(), length);
    const auto digits = static_cast<std::size_t>(end - first);
    if (error != std::errc() || length < digits + 3 || length > all.size() - i || *end != ' ' ||
        first[length - 1] != '\n')
      fail(at, fmt::format("a pax record that is not \"LENGTH KEY=VALUE\" and a line's end, within "
                           "the {} bytes that are left",
                           all.size() - i));
    const std::string_view record(end + 1, length - digits - 2);
    const std::size_t equals = record.find('=');
    if (equals == std::string_view::npos || equals == 0)
      fail(at, "a pax record without a key and \"=\"");
    const std::string_view key = record.substr(0, equals), value = record.substr(equals + 1);
    if (h.type == kPaxOfAll && (key == "path" || key == "size"))
      fail(at, fmt::format("a pax header for all files sets their \"{}\"", key));
    if (key == "path") about->name = std::string(value);
    if (key == "size") {
      const auto parsed =
          std::from_chars(value.data(), value.data() + value.size(), about->size.emplace());
      if (value.empty() || parsed.ec != std::errc() || parsed.ptr != value.data() + value.size())
        fail(at, "a pax header whose size is no number");
    }
    i += length;
  }
}

// Two blocks of zeros, and nothing but zeros behind them: tar writes whole records of 10,240 bytes.
void TarReader::check_end(std::uint64_t at) {
  if (!header(at + kBlock).end) fail(at + kBlock, "one block of zeros, and then another file");
  for (std::uint64_t i = at + 2 * kBlock; i < open_->size; i += kBlock) {
    const std::uint64_t left = open_->size - i;
    const bool zero = left < kBlock ? is_zero(read({"the end", i, i, left})) : is_zero(block(i));
    if (!zero) fail(i, "bytes behind the end of the tar file: were two joined?");
  }
}

// A member may stand behind headers that say something of it, such as a name of any length.
bool TarReader::next(TarMember* member) {
  for (About about;;) {
    Header h = header(at_);
    if (h.end) {
      if (about.given) fail(at_, "the end, where a file has to follow on the header of its name");
      check_end(at_);
      return false;
    }
    if (!h.is_about()) {
      if (!about.name.empty()) h.name = about.name;
      if (about.size) h.size = *about.size;
    }
    check_fits(h);
    if (!about.given) about.begins = at_;
    at_ = h.next();
    if (h.is_about()) {
      read_about(h, &about);
      continue;
    }
    if (h.name.empty() || h.name.find('\0') != std::string::npos)
      fail(h.at, "a file without a name, or with a NUL in it");
    if (h.type != kFolder) {
      *member = {std::move(h.name), about.begins, h.begin(), h.size};
      return true;
    }
    about = {};
  }
}

// Its bytes, and the zeros behind them, are within the file; and it is of a type that is read.
void TarReader::check_fits(const Header& h) const {
  const std::uint64_t left = open_->size - h.begin();
  if (h.size > left || blocks(h.size) > left)
    fail(h.at,
         fmt::format("\"{}\" has {} bytes from byte {} on, in blocks {}, but the file has only {} "
                     "bytes there: it was cut, or the size is wrong",
                     h.name, h.size, h.begin(), blocks(std::min(h.size, UINT64_MAX / 2)), left));
  if (!h.is_member() && !h.is_about())
    fail(h.at, fmt::format("\"{}\" is of type '{}': only files and folders are read, no links or "
                           "devices",
                           h.name, h.type >= 32 && h.type < 127 ? h.type : '?'));
}

// What a header says of the member that follows on it; or of all of them, which changes nothing.
void TarReader::read_about(const Header& h, About* about) const {
  if (h.type == kLongName) {
    about->name = text_of(h, "a long name");
    if (about->name.ends_with('\0')) about->name.pop_back();
  } else {
    read_pax(h, about);
  }
  if (h.type != kPaxOfAll) about->given = true;
}

std::vector<std::uint8_t> TarReader::read(const TarMember& member) const {
  if (member.begin > open_->size || member.size > open_->size - member.begin)
    fail(member.begin, fmt::format("\"{}\" has {} bytes, but the file ends at {}", member.name,
                                   member.size, open_->size));
  return bytes_at(member.begin, member.size);
}

std::vector<std::uint8_t> TarReader::bytes_at(std::uint64_t at, std::uint64_t size) const {
  std::vector<std::uint8_t> bytes(size);
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t n =
        ::pread(open_->fd, bytes.data() + have, bytes.size() - have, static_cast<off_t>(at + have));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      fail(at + have, n < 0 ? "cannot be read: " + system_message(errno)
                            : std::string("the file was cut while it was read"));
    have += static_cast<std::size_t>(n);
  }
  return bytes;
}

void TarWriter::put(const std::string& name, char type, std::span<const std::uint8_t> bytes) {
  std::array<std::uint8_t, kBlock> h{};
  const auto set = [&](Field f, std::string_view value) {
    std::copy_n(value.begin(), std::min(value.size(), f.size), h.begin() + f.at);
  };
  const auto number = [&](Field f, std::uint64_t value) {
    set(f, fmt::format("{:0{}o}", value, f.size - 1));
  };
  if (bytes.size() >> 33 != 0) throw ValueError("tar: a file of more than 8 GiB");
  set(kName, name);
  number(kMode, 0644);
  number(kUid, 0);
  number(kGid, 0);
  number(kSize, bytes.size());
  number(kTime, 0);
  h[kType] = static_cast<std::uint8_t>(type);
  set(kMagicField, std::string_view("ustar\00000", 8));
  set(kSum, fmt::format("{:06o}{} ", sum_of(h), '\0'));
  file_.write(h.data(), h.size());
  file_.write(bytes.data(), bytes.size());
  static constexpr std::array<std::uint8_t, kBlock> kZeros{};
  file_.write(kZeros.data(), blocks(bytes.size()) - bytes.size());
  at_ += kBlock + blocks(bytes.size());
}

std::uint64_t TarWriter::add(const std::string& name, std::span<const std::uint8_t> bytes) {
  if (name.empty() || name.find('\0') != std::string::npos)
    throw ValueError("tar: a file needs a name, without a NUL");
  const std::uint64_t begin = at_;
  if (name.size() > kName.size) {
    const std::string rest = " path=" + name + "\n";
    std::size_t length = rest.size();  // the record's length counts its own digits, too
    while (length != rest.size() + std::to_string(length).size())
      length = rest.size() + std::to_string(length).size();
    const std::string record = std::to_string(length) + rest;
    put("pax", kPax, {reinterpret_cast<const std::uint8_t*>(record.data()), record.size()});
  }
  put(name, kFile, bytes);
  return begin;
}

void TarWriter::commit() {
  static constexpr std::array<std::uint8_t, 2 * kBlock> kEnd{};
  file_.write(kEnd.data(), kEnd.size());
  file_.commit();
}

}  // namespace limulus

#include "formats/npy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>
#include <string_view>

#include "core/error.h"
#include "formats/atomic_file.h"
#include "formats/read_file.h"

namespace limulus {
namespace {

static_assert(std::endian::native == std::endian::little, "arrays are written little endian");

constexpr std::string_view kMagic = "\x93NUMPY";

struct NpyType {
  DType dtype;
  std::string_view descr;
  std::uint64_t size;
};
constexpr NpyType kNpyTypes[] = {
    {DType::f32, "<f4", 4}, {DType::f64, "<f8", 8}, {DType::i64, "<i8", 8}, {DType::i32, "<i4", 4}};

// The header is Python, but only ever this much of it: a dictionary with three keys whose values
// are a text, True or False, and a tuple of whole numbers.
class NpyHeader {
 public:
  NpyHeader(std::string file, std::string_view text) : file_(std::move(file)), text_(text) {}

  std::string descr;
  bool fortran_order = false;
  std::vector<std::int64_t> shape;

  void parse() {
    bool seen[3] = {false, false, false};
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      const int which = key == "descr" ? 0 : key == "fortran_order" ? 1 : key == "shape" ? 2 : -1;
      if (which < 0) fail(fmt::format("unknown key '{}'", key));
      if (seen[which]) fail(fmt::format("the key '{}' occurs twice", key));
      seen[which] = true;
      expect(':');
      if (which == 0) descr = value_of_descr();
      if (which == 1) fortran_order = boolean();
      if (which == 2) tuple();
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_spaces();
    if (at_ != text_.size()) fail("there is text after the dictionary");
    if (!seen[0] || !seen[1] || !seen[2]) {
      fail("one of 'descr', 'fortran_order' and 'shape' is missing");
    }
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw FileError(fmt::format("{}: npy header, character {}: {}", file_, at_, what));
  }

 private:
  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool accept(char wanted) {
    skip_spaces();
    if (at_ >= text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }
  void expect(char wanted) {
    if (!accept(wanted)) fail(fmt::format("expected '{}'", wanted));
  }
  std::string quoted() {
    skip_spaces();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    const auto end =
        quote == '\'' || quote == '"' ? text_.find(quote, at_ + 1) : std::string_view::npos;
    if (end == std::string_view::npos) fail("expected a text in quotes");
    std::string inside(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return inside;
  }
  std::string value_of_descr() {
    skip_spaces();
    if (at_ < text_.size() && text_[at_] == '[') fail("a structured array is not supported");
    return quoted();
  }
  bool boolean() {
    skip_spaces();
    for (const std::string_view word : {"True", "False"}) {
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return word == "True";
      }
    }
    fail("expected True or False");
  }
  void tuple() {
    expect('(');
    bool comma = true;
    while (!accept(')')) {
      if (!comma) fail("expected ',' or ')'");
      skip_spaces();
      std::int64_t value = 0;
      const std::size_t first = at_;
      for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, text_[at_] - '0', &value)) {
          fail("a size does not fit in 63 bits");
        }
      }
      if (at_ == first) fail("expected a whole number >= 0 in the shape");
      shape.push_back(value);
      comma = accept(',');
    }
  }

  std::string file_;
  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::int64_t NpyArray::numel() const {
  std::int64_t product = 1;
  for (const std::int64_t size : shape) product *= size;
  return product;
}

NpyArray read_npy(const std::filesystem::path& path) {
  const std::string file = path.string();
  const MappedFile mapped(path);
  const auto bytes = mapped.bytes();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.size() < 10 || !text.starts_with(kMagic)) {
    throw FileError(fmt::format(
        "{}: not an npy file: it is {} bytes long and does not begin with \\x93NUMPY, a version "
        "and a length",
        file, text.size()));
  }
  const int version = static_cast<unsigned char>(text[6]);
  if (version != 1 && version != 2) {
    throw FileError(
        fmt::format("{}: npy version {} is not supported, only 1 and 2", file, version));
  }
  const std::uint64_t prefix = version == 1 ? 10 : 12;
  std::uint64_t header = 0;
  if (text.size() >= prefix) std::memcpy(&header, text.data() + 8, version == 1 ? 2 : 4);
  if (text.size() < prefix || header > text.size() - prefix) {
    throw FileError(
        fmt::format("{}: {} + {} bytes of npy header do not fit in {} bytes: the file "
                    "was cut",
                    file, prefix, header, text.size()));
  }
  NpyHeader parser(file, text.substr(prefix, header));
  parser.parse();

  const auto type = std::find_if(std::begin(kNpyTypes), std::end(kNpyTypes),
                                 [&](const NpyType& t) { return parser.descr == t.descr; });
  if (type == std::end(kNpyTypes)) {
    throw FileError(
        fmt::format("{}: element type '{}' is not supported, only <f4, <f8, <i8 and <i4 "
                    "(little endian); convert it with array.astype('<f4')",
                    file, parser.descr));
  }
  if (parser.fortran_order) {
    throw FileError(
        fmt::format("{}: the array is in Fortran order (column-major); save "
                    "numpy.ascontiguousarray(array) instead",
                    file));
  }
  std::uint64_t size = type->size;
  for (const std::int64_t s : parser.shape) {
    if (__builtin_mul_overflow(size, static_cast<std::uint64_t>(s), &size) || size > INT64_MAX) {
      throw FileError(fmt::format("{}: shape ({}) has more bytes than 63 bits can count", file,
                                  fmt::join(parser.shape, ", ")));
    }
  }
  const auto data = bytes.subspan(prefix + header);
  if (data.size() != size) {
    throw FileError(fmt::format("{}: shape ({}) of {} is {} bytes, but {} follow the header: {}",
                                file, fmt::join(parser.shape, ", "), type->descr, size, data.size(),
                                data.size() < size ? "the file was cut" : "there are too many"));
  }
  return {type->dtype, std::move(parser.shape), {data.begin(), data.end()}};
}

void write_npy(const std::filesystem::path& path, DType dtype,
               const std::vector<std::int64_t>& shape, const void* data) {
  const auto* type = std::find_if(std::begin(kNpyTypes), std::end(kNpyTypes),
                                  [&](const NpyType& t) { return t.dtype == dtype; });
  if (type == std::end(kNpyTypes)) throw DTypeError("write_npy: unknown element type");
  std::uint64_t size = type->size;
  for (const std::int64_t s : shape) {
    if (s < 0) throw ValueError(fmt::format("write_npy: {}: a negative size", path.string()));
    size *= static_cast<std::uint64_t>(s);
  }
  if (size > 0 && data == nullptr) {
    throw ValueError(fmt::format("write_npy: {}: no data", path.string()));
  }
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}", type->descr,
                  fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
  // Spaces and a line end make the data begin at a multiple of 64.
  header.append(63 - (10 + header.size()) % 64, ' ').push_back('\n');
  if (header.size() > 65535) {
    throw ValueError(fmt::format("write_npy: {}: too many dimensions", path.string()));
  }
  AtomicFile out(path);
  out.write(kMagic);
  const unsigned char rest[4] = {1, 0, static_cast<unsigned char>(header.size() & 255),
                                 static_cast<unsigned char>(header.size() >> 8)};
  out.write(rest, 4);
  out.write(header);
  out.write(data, size);
  out.commit();
}

}  // namespace limulus

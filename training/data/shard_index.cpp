#include "training/data/shard_index.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <string_view>

#include "core/error.h"
#include "core/printable.h"
#include "formats/atomic_file.h"
#include "formats/read_file.h"
#include "formats/tar.h"

namespace limulus {
namespace {

constexpr std::string_view kFirst = "limulus shards 1", kEnd = "end ";

// The last line, without its end: says what stands before it.
std::string last_line(std::string_view before) {
  const auto* bytes = reinterpret_cast<const Bytef*>(before.data());
  return fmt::format("{}{:08x}", kEnd, ::crc32_z(0, bytes, before.size()));
}

// Takes a number from the front of `text`, with the blank before it. False if there is none.
template <class Number>
bool take_number(std::string_view* text, Number* value) {
  if (text->starts_with(' ')) text->remove_prefix(1);
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), *value);
  text->remove_prefix(static_cast<std::size_t>(end - text->data()));
  return error == std::errc() && *value >= 0;
}

class IndexReader {
 public:
  explicit IndexReader(const std::filesystem::path& file)
      : file_(file.string()), bytes_(read_file(file)) {}

  ShardIndex read() {
    if (const std::string_view line = next_line(); line != kFirst)
      fail(fmt::format("expected \"{}\", found \"{}\"", kFirst, line));
    ShardIndex index;
    while (true) {
      const std::size_t begin = at_;
      std::string_view line = next_line();
      if (line.starts_with(kEnd)) {
        if (line != last_line(text().substr(0, begin)))
          fail("the checksum is another: the file was damaged or edited");
        break;
      }
      const std::size_t blank = line.find(' ');
      const std::string name(line.substr(0, blank));
      line.remove_prefix(std::min(name.size(), line.size()));
      IndexedShard shard;
      std::uint64_t count = 0;
      if (name.empty() || !take_number(&line, &shard.bytes) || !take_number(&line, &count) ||
          !line.empty())
        fail("expected a shard's name, its bytes and its pictures");
      for (; count > 0; --count) shard.pictures.push_back(picture(shard));
      if (!index.emplace(name, std::move(shard)).second) fail(name + " is there twice");
    }
    if (at_ != bytes_.size()) fail("more lines behind the end");
    return index;
  }

 private:
  IndexedPicture picture(const IndexedShard& shard) {
    std::string_view line = next_line();
    IndexedPicture p;
    if (!take_number(&line, &p.offset) || !take_number(&line, &p.label) || !line.empty())
      fail("expected where a picture begins, and its class");
    if (p.offset >= shard.bytes)
      fail(fmt::format("a picture at byte {} of {}", p.offset, shard.bytes));
    if (!shard.pictures.empty() && p.offset <= shard.pictures.back().offset)
      fail(fmt::format("a picture at byte {}, behind one at byte {}", p.offset,
                       shard.pictures.back().offset));
    return p;
  }

  std::string_view next_line() {
    ++line_;
    const std::size_t end = text().find('\n', at_);
    if (end == std::string_view::npos) fail("the file ends here: it was cut");
    const std::string_view line = text().substr(at_, end - at_);
    at_ = end + 1;
    return line;
  }

  std::string_view text() const {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw FileError(
        fmt::format("{}: line {}: {}. Remove this file, and the shards themselves are read; the "
                    "same `limulus pack` again writes it anew",
                    file_, line_, printable(what)));
  }

  std::string file_;
  std::vector<std::uint8_t> bytes_;
  std::size_t at_ = 0, line_ = 0;
};

}  // namespace

void write_shard_index(const std::filesystem::path& file, const ShardIndex& index) {
  std::string text(kFirst);
  text += '\n';
  for (const auto& [name, shard] : index) {
    fmt::format_to(std::back_inserter(text), "{} {} {}\n", name, shard.bytes,
                   shard.pictures.size());
    for (const IndexedPicture& p : shard.pictures)
      fmt::format_to(std::back_inserter(text), "{} {}\n", p.offset, p.label);
  }
  text += last_line(text) + '\n';
  write_file_atomically(file, text);
}

ShardIndex read_shard_index(const std::filesystem::path& file) { return IndexReader(file).read(); }

std::optional<std::int64_t> class_number(std::span<const std::uint8_t> bytes) {
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  text.remove_prefix(first == std::string_view::npos ? text.size() : first);
  text = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
  std::int64_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || value < 0)
    return {};
  return value;
}

std::optional<std::int64_t> class_behind(TarReader& reader) {
  TarMember label;
  if (!reader.next(&label) || label.size > kLongestClass) return {};
  return class_number(reader.read(label));
}

}  // namespace limulus

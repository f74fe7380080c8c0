// Tar files: what is written is read, and what is damaged is an error with the place.
#include "formats/tar.h"

#include <doctest/doctest.h>

#include <cstdio>

#include "core/error.h"
#include "temporary_folder.h"
#include "write_tar.h"

using namespace limulus;
namespace fs = std::filesystem;

namespace {

std::vector<std::pair<std::string, std::string>> read_tar(const fs::path& path) {
  TarReader reader(path);
  std::vector<std::pair<std::string, std::string>> files;
  for (TarMember m; reader.next(&m);) {
    const auto bytes = reader.read(m);
    files.emplace_back(m.name, std::string(bytes.begin(), bytes.end()));
    // A member can be found again by its place alone.
    TarReader there(path, m.offset);
    TarMember again;
    CHECK(there.next(&again));
    CHECK(again.name == m.name);
    CHECK(there.read(again) == bytes);
  }
  return files;
}

// Sets a header's field, and its sum so that it is right again.
void set_field(std::string* tar, std::size_t header, std::size_t at, const std::string& value) {
  tar->replace(header + at, value.size(), value);
  tar->replace(header + 148, 8, "        ");
  unsigned sum = 0;
  for (std::size_t i = 0; i < 512; ++i) sum += static_cast<unsigned char>((*tar)[header + i]);
  char text[8];
  std::snprintf(text, sizeof text, "%06o", sum);
  tar->replace(header + 148, 7, text, 7);
}

}  // namespace

TEST_CASE("what was written is read, with long names and empty files") {
  const TemporaryFolder folder;
  const std::string deep(90, 'd'), longer(240, 'n');
  const std::vector<std::pair<std::string, std::string>> files = {
      {"a.txt", "hello"},
      {"empty", ""},
      {std::string(100, 'x'), "1"},
      {deep + "/" + longer + ".jpg", std::string(513, 'y')},
      {"last.cls", "12"}};
  write_tar(folder / "t.tar", files);
  CHECK(read_tar(folder / "t.tar") == files);
  CHECK(fs::file_size(folder / "t.tar") % 512 == 0);
  const std::string first = get_bytes(folder / "t.tar");
  write_tar(folder / "t.tar", files);
  CHECK(get_bytes(folder / "t.tar") == first);
}

TEST_CASE("a file cut at any byte, or with a damaged header, is an error with the place") {
  const TemporaryFolder folder;
  const fs::path path = folder / "t.tar";
  write_tar(path, {{"a.txt", "hello"}, {std::string(120, 'n'), "there"}});
  const std::string whole = get_bytes(path);
  REQUIRE(whole.size() == 512 * (2 + 4 + 2));
  for (std::size_t size = 0; size < whole.size(); size += 13) {
    CAPTURE(size);
    put_bytes(path, whole.substr(0, size));
    CHECK(has(message_of<FileError>([&] { read_tar(path); }), "t.tar: at byte "));
  }
  for (std::size_t at = 0; at < 512; ++at) {  // every byte of a header counts
    CAPTURE(at);
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    put_bytes(path, damaged);
    CHECK(message_of<FileError>([&] { read_tar(path); }) != "");
  }
  const auto error = [&](std::size_t header, std::size_t at, const std::string& value) {
    std::string changed = whole;
    set_field(&changed, header, at, value);
    put_bytes(path, changed);
    return message_of<FileError>([&] { read_tar(path); });
  };
  CHECK(has(error(0, 124, "00000777777"), "\"a.txt\" has 262143 bytes from byte 512 on"));
  CHECK(has(error(0, 124, "0000000000x"), "the file's size is no octal number"));
  CHECK(has(error(0, 156, "2"), "\"a.txt\" is of type '2'"));
  CHECK(has(error(0, 257, "tarus"), "the word \"ustar\" is missing"));
  CHECK(has(error(0, 0, std::string(1, '\0')), "a file without a name"));
  CHECK(has(error(1024, 156, "g"), "a pax header for all files sets their \"path\""));
  std::string changed = whole;
  changed.replace(1024 + 512, 3, "999");
  put_bytes(path, changed);
  CHECK(has(message_of<FileError>([&] { read_tar(path); }), "at byte 1536: a pax record"));
  put_bytes(path, whole + whole);
  CHECK(has(message_of<FileError>([&] { read_tar(path); }), "bytes behind the end"));
  put_bytes(path, whole + std::string(10240, '\0'));
  CHECK(read_tar(path).size() == 2);
}

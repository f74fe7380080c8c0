#pragma once
// Tar: files one after another in one file, which is read from front to end without a seek. The
// shards of a large set of pictures are such files (training/data/shards.h).
//
//     512 bytes   header: name, size in octal digits, type, and the sum of the header's bytes
//     size bytes  the file, filled up to a whole number of blocks of 512
//     ...
//     1024 bytes  of zeros: the end
//
// Read are POSIX's ustar format with pax headers, and GNU's long names; written is ustar, with a
// pax header before a name of more than 100 bytes.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/atomic_file.h"

namespace limulus {

struct OpenFile;

struct TarMember {
  std::string name;
  std::uint64_t offset = 0;  // where it begins: its header, or the header of its long name
  std::uint64_t begin = 0;   // where its bytes begin
  std::uint64_t size = 0;    // how many they are
};

class TarReader {
 public:
  // Begins at `offset`, where a member begins. FileError as read_file.
  explicit TarReader(const std::filesystem::path& path, std::uint64_t offset = 0);
  ~TarReader();
  TarReader(const TarReader&) = delete;
  TarReader& operator=(const TarReader&) = delete;

  // The next regular file; folders are passed over. False at the end, which has to be there.
  // FileError, with the file, the place and the arithmetic, for a sum that is wrong, a size that is
  // no number or reaches behind the end of the file, a link or a device, a file that was cut, and
  // for bytes behind the end.
  bool next(TarMember* member);

  // The bytes of a member that next() gave.
  std::vector<std::uint8_t> read(const TarMember& member) const;

  std::uint64_t file_size() const;

 private:
  struct Header;
  struct About;
  [[noreturn]] void fail(std::uint64_t at, const std::string& what) const;
  std::vector<std::uint8_t> bytes_at(std::uint64_t at, std::uint64_t size) const;
  std::span<const std::uint8_t> block(std::uint64_t at);
  Header header(std::uint64_t at);
  std::string text_of(const Header& h, const char* what) const;
  void check_fits(const Header& h) const;
  void read_about(const Header& h, About* about) const;
  void read_pax(const Header& h, About* about) const;
  void check_end(std::uint64_t at);

  std::string file_;
  std::unique_ptr<OpenFile> open_;
  std::uint64_t at_ = 0;
  std::vector<std::uint8_t> window_;  // some blocks, read together
  std::uint64_t window_at_ = 0;
};

// The same members give the same bytes: owner, time and permissions are always the same.
class TarWriter {
 public:
  explicit TarWriter(const std::filesystem::path& path) : file_(path) {}
  // Where the member begins: TarMember::offset.
  std::uint64_t add(const std::string& name, std::span<const std::uint8_t> bytes);
  void commit();  // the end, then the file takes its place (formats/atomic_file.h)

 private:
  void put(const std::string& name, char type, std::span<const std::uint8_t> bytes);
  AtomicFile file_;
  std::uint64_t at_ = 0;
};

}  // namespace limulus

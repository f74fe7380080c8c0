#pragma once
// Reading a file as bytes: whole, unpacked, or mapped into memory.
//
// Only a regular file is read. A folder, a named pipe, a socket or a device is refused at once,
// with a word for what it is: opening a pipe would wait for a writer, perhaps for ever.
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace limulus {

// FileError names the file and gives the system's reason.
std::vector<std::uint8_t> read_file(const std::filesystem::path& path);

// A file that may be packed by gzip, as its first two bytes tell. First only the first `header`
// bytes of its contents are unpacked, and from them `size_of` says how many there must be in all
// (it may throw). Never more than that and one byte is unpacked, so that a small file cannot fill
// the memory; the caller compares the sizes. FileError for damage.
std::vector<std::uint8_t> read_unpacked(
    const std::filesystem::path& path, std::size_t header,
    const std::function<std::size_t(std::span<const std::uint8_t>)>& size_of);

// The bytes of a file without a copy: pages are read when they are first touched. Writing to a
// page makes a private copy of it; the file stays as it is. The file must not be cut while it is
// mapped (explain_lost_mappings). AtomicFile never cuts a file: it puts a new file in the old
// one's place.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  void close() noexcept;

  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// For programs. If another program cuts a file that is mapped here, the system sends SIGBUS when a
// missing page is touched, and this process cannot continue. After this call, it then ends with
// status 1 and a line on stderr that names the file. (A library must not do this by itself: signals
// belong to the program.)
void explain_lost_mappings();

// "is a folder, expected a file", "is a named pipe, not a file" ...: for the mode of a file that is
// not a regular one.
std::string kind_of(mode_t mode);
// Whether an open file has no name any more: what is written to it would go nowhere.
bool was_removed(int file);

// Whether a path is this folder, or lies in it when links are followed. Neither has to be there.
bool lies_in(const std::filesystem::path& path, const std::filesystem::path& folder);

// The system's words for errno, for any thread.
std::string system_message(int error);

}  // namespace limulus

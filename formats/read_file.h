#pragma once
// Reading a file as bytes: whole, or mapped into memory.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace limulus {

// FileError names the file and gives the system's reason; a folder or a device is refused.
std::vector<std::uint8_t> read_file(const std::filesystem::path& path);

// The bytes of a file without a copy: pages are read when they are first touched. Whoever writes to
// them gets a copy of the page for itself; the file stays as it is. The file must not
// be cut while it is mapped; AtomicFile never does that, it puts a new file in the old one's place.
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
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace limulus

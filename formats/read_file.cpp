#include "formats/read_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/error.h"

namespace limulus {
namespace {

class OpenFile {
 public:
  explicit OpenFile(const std::filesystem::path& path)
      : fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    struct stat found;
    if (fd < 0 || ::fstat(fd, &found) != 0) {
      const std::string reason = std::strerror(errno);
      close();
      throw FileError(fmt::format("{}: cannot open: {}", path.string(), reason));
    }
    if (!S_ISREG(found.st_mode)) {
      close();
      throw FileError(fmt::format(
          "{}: {}", path.string(),
          S_ISDIR(found.st_mode) ? "is a folder, expected a file" : "is not a regular file"));
    }
    size = static_cast<std::size_t>(found.st_size);
  }
  ~OpenFile() { close(); }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  int fd;
  std::size_t size = 0;

 private:
  void close() {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
};

}  // namespace

std::vector<std::uint8_t> read_file(const std::filesystem::path& path) {
  const OpenFile file(path);
  std::vector<std::uint8_t> bytes(file.size);
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got = ::read(file.fd, bytes.data() + have,
                               std::min<std::size_t>(bytes.size() - have, std::size_t{1} << 30));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      throw FileError(fmt::format("{}: cannot read: {}", path.string(), std::strerror(errno)));
    }
    if (got == 0) {
      throw FileError(fmt::format("{}: became shorter while it was read: {} bytes of {}",
                                  path.string(), have, bytes.size()));
    }
    have += static_cast<std::size_t>(got);
  }
  return bytes;
}

MappedFile::MappedFile(const std::filesystem::path& path) {
  const OpenFile file(path);
  if (file.size == 0) return;  // nothing can be mapped, and nothing needs to be
  void* at = ::mmap(nullptr, file.size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file.fd, 0);
  if (at == MAP_FAILED) {
    throw FileError(fmt::format("{}: cannot map {} bytes into memory: {}", path.string(), file.size,
                                std::strerror(errno)));
  }
  data_ = static_cast<const std::byte*>(at);
  size_ = file.size;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

}  // namespace limulus

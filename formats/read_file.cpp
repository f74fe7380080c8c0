#include "formats/read_file.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>

#include "core/error.h"
#include "formats/open_file.h"

namespace limulus {

std::string system_message(int error) { return std::generic_category().message(error); }

std::string kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "is a folder, expected a file";
  if (S_ISFIFO(mode)) return "is a named pipe, not a file";
  if (S_ISSOCK(mode)) return "is a socket, not a file";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "is a device, not a file";
  return "is not a regular file";
}

bool was_removed(int file) {
  struct stat here = {};
  return ::fstat(file, &here) == 0 && here.st_nlink == 0;
}

bool lies_in(const std::filesystem::path& path, const std::filesystem::path& folder) {
  std::error_code error;
  const auto resolved = [&](const std::filesystem::path& p) {
    const auto whole = error ? p : std::filesystem::absolute(p, error);
    return error ? p : std::filesystem::weakly_canonical(whole, error);
  };
  const auto inner = resolved(path), outer = resolved(folder);
  return !error &&
         std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

std::vector<std::uint8_t> read_file(const std::filesystem::path& path) {
  const OpenFile file(path);
  std::vector<std::uint8_t> bytes(file.size);
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got = ::read(file.fd, bytes.data() + have,
                               std::min<std::size_t>(bytes.size() - have, std::size_t{1} << 30));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      throw FileError(fmt::format("{}: cannot read: {}", path.string(), system_message(errno)));
    }
    if (got == 0) {
      throw FileError(fmt::format("{}: became shorter while it was read: {} bytes of {}",
                                  path.string(), have, bytes.size()));
    }
    have += static_cast<std::size_t>(got);
  }
  return bytes;
}

namespace {

constexpr std::size_t kPiece = std::size_t{1} << 18;

class Unpacker {
 public:
  Unpacker(const std::filesystem::path& path, std::vector<std::uint8_t> packed)
      : file_(path.string()), packed_(std::move(packed)) {
    if (::inflateInit2(&stream_, 16 + MAX_WBITS) != Z_OK)  // 16: a gzip header is expected
      throw FileError(fmt::format("{}: cannot unpack: out of memory", file_));
    stream_.next_in = packed_.data();
  }
  ~Unpacker() { ::inflateEnd(&stream_); }
  Unpacker(const Unpacker&) = delete;
  Unpacker& operator=(const Unpacker&) = delete;

  // Unpacks until there are `wanted` bytes or no more come. The memory grows with what has come,
  // not with what was announced.
  void fill(std::vector<std::uint8_t>* bytes, std::size_t wanted) {
    while (!ended_ && bytes->size() < wanted) {
      const std::size_t have = bytes->size(), piece = std::min(kPiece, wanted - have);
      bytes->resize(have + piece);
      stream_.next_out = bytes->data() + have;
      stream_.avail_out = static_cast<uInt>(piece);
      const std::size_t left = packed_.size() - taken();
      stream_.avail_in = static_cast<uInt>(std::min<std::size_t>(left, std::size_t{1} << 30));
      const int state = ::inflate(&stream_, Z_NO_FLUSH);
      bytes->resize(have + piece - stream_.avail_out);
      ended_ = state == Z_STREAM_END;
      if (ended_ && taken() != packed_.size()) fail("there are bytes after its end");
      if (state == Z_BUF_ERROR) fail("the file was cut");
      if (state != Z_OK && !ended_)
        fail(stream_.msg != nullptr ? stream_.msg : "its compressed data is damaged");
    }
  }

 private:
  std::size_t taken() const { return static_cast<std::size_t>(stream_.next_in - packed_.data()); }
  [[noreturn]] void fail(const char* what) const {
    throw FileError(fmt::format("{}: cannot unpack: {}", file_, what));
  }

  std::string file_;
  std::vector<std::uint8_t> packed_;
  z_stream stream_{};
  bool ended_ = false;
};

}  // namespace

std::vector<std::uint8_t> read_unpacked(
    const std::filesystem::path& path, std::size_t header,
    const std::function<std::size_t(std::span<const std::uint8_t>)>& size_of) {
  std::vector<std::uint8_t> packed = read_file(path);
  if (packed.size() < 2 || packed[0] != 0x1f || packed[1] != 0x8b) return packed;
  Unpacker unpacker(path, std::move(packed));
  std::vector<std::uint8_t> bytes;
  unpacker.fill(&bytes, header);
  const std::size_t size = size_of(bytes);
  unpacker.fill(&bytes, size + 1);  // one more: is there too much?
  return bytes;
}

}  // namespace limulus

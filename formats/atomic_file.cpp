#include "formats/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "core/error.h"

namespace limulus {
namespace {

std::filesystem::path with_suffix(std::filesystem::path path, const char* suffix) {
  path += suffix;
  return path;
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path path, AtomicOptions options)
    : path_(std::move(path)), options_(options) {
  // A link stays a link: the file that it names is the one to replace.
  std::error_code ignored;
  if (std::filesystem::is_symlink(path_, ignored)) {
    const auto target = std::filesystem::weakly_canonical(path_, ignored);
    if (!ignored) path_ = target;
  }
  temporary_ = with_suffix(path_, ".tmp");
  struct stat found;
  if (::stat(path_.c_str(), &found) == 0 && !S_ISREG(found.st_mode)) {
    throw FileError(
        fmt::format("{}: cannot write: it exists and is not a regular file", path_.string()));
  }
  fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd_ < 0) fail("create", temporary_);
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::fail(const char* action, const std::filesystem::path& on) const {
  const int error = errno;
  const bool full = error == ENOSPC || error == EDQUOT;
  throw FileError(fmt::format("{}: cannot {} {}: {}{}; {}", path_.string(), action, on.string(),
                              std::strerror(error), full ? "; make room and try again" : "",
                              ::access(path_.c_str(), F_OK) == 0 ? "the file before it is unchanged"
                                                                 : "nothing was written"));
}

void AtomicFile::write(const void* data, std::size_t size) {
  if (fd_ < 0) throw FileError(fmt::format("{}: write after commit", path_.string()));
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    // One call never takes more than about 2 GiB, and may take less than it was given.
    const ssize_t done = ::write(fd_, at, std::min<std::size_t>(size, std::size_t{1} << 30));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail("write", temporary_);
    at += done;
    size -= static_cast<std::size_t>(done);
  }
}

// `path` must exist at every moment, so the old file gets a second name (a hard link) before the
// rename takes its first one away. Where the file system knows no links, it is renamed instead.
void AtomicFile::keep_previous() const {
  if (::access(path_.c_str(), F_OK) != 0) return;
  const auto previous = with_suffix(path_, ".previous");
  const auto link = with_suffix(path_, ".previous.tmp");
  ::unlink(link.c_str());
  if (::link(path_.c_str(), link.c_str()) == 0) {
    if (::rename(link.c_str(), previous.c_str()) != 0) {
      const int error = errno;
      ::unlink(link.c_str());
      errno = error;
      fail("keep the previous file as", previous);
    }
    // rename does nothing when both names are already the same file: no name may be left over.
    ::unlink(link.c_str());
  } else if (::rename(path_.c_str(), previous.c_str()) != 0) {
    fail("keep the previous file as", previous);
  }
}

void AtomicFile::commit() {
  if (fd_ < 0) throw FileError(fmt::format("{}: committed twice", path_.string()));
  if (::fsync(fd_) != 0) fail("flush", temporary_);
  if (options_.keep_previous) keep_previous();
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("rename into place", temporary_);
  ::close(fd_);
  fd_ = -1;
  // The new name is itself data of the folder. Some file systems cannot flush one; the rename has
  // happened all the same, so that is no failure.
  const auto folder = path_.has_parent_path() ? path_.parent_path() : std::filesystem::path(".");
  const int folder_fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_fd >= 0) {
    ::fsync(folder_fd);
    ::close(folder_fd);
  }
}

void write_file_atomically(const std::filesystem::path& path, std::string_view text,
                           AtomicOptions options) {
  AtomicFile file(path, options);
  file.write(text);
  file.commit();
}

}  // namespace limulus

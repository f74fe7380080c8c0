#include "formats/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <random>
#include <string>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "formats/read_file.h"

namespace limulus {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTemporary = ".tmp-";  // and eight hexadecimal digits
constexpr std::size_t kDigits = 8;
constexpr int kTries = 100;

fs::path with_suffix(fs::path path, const std::string& suffix) {
  path += suffix;
  return path;
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

// A name of one's own. A file's name has at most 255 bytes, so a long one is shortened.
std::string temporary_name(const fs::path& path) {
  static thread_local std::random_device chance;
  return fmt::format("{}{}{:08x}", path.filename().string().substr(0, 240), kTemporary, chance());
}

bool is_temporary_of(const fs::path& path, const std::string& name) {
  const std::string begin =
      fmt::format("{}{}", path.filename().string().substr(0, 240), kTemporary);
  return name.size() == begin.size() + kDigits && name.starts_with(begin) &&
         std::all_of(name.end() - kDigits, name.end(),
                     [](unsigned char c) { return std::isxdigit(c) != 0; });
}

// The file that a symbolic link names, whether it is there or not.
fs::path followed(fs::path path) {
  std::error_code error;
  for (int links = 0; links < 40 && fs::is_symlink(fs::symlink_status(path, error)); ++links) {
    const fs::path target = fs::read_symlink(path, error);
    if (error) break;
    path = target.is_absolute() ? target : path.parent_path() / target;
  }
  return path;
}

}  // namespace

AtomicFile::AtomicFile(fs::path path, AtomicOptions options)
    : path_(followed(std::move(path))), options_(options) {
  struct stat found;
  const bool exists = ::stat(path_.c_str(), &found) == 0;
  if (!exists && errno == ELOOP) fail("follow", path_);
  if (exists && !S_ISREG(found.st_mode)) {
    throw FileError(fmt::format("{}: cannot write: it {}", path_.string(), kind_of(found.st_mode)));
  }
  if (path_.filename().empty()) {
    throw FileError(fmt::format("{}: cannot write: this is not a file name", path_.string()));
  }
  remove_abandoned();
  open_temporary();
}

// O_EXCL makes the file or fails: it never writes to something that exists already, least of all to
// a link. Between open and flock another writer may take the file for an abandoned one. Then it has
// lost its name (no links are left), and the next name is tried.
void AtomicFile::open_temporary() {
  for (int tries = 0; tries < kTries; ++tries) {
    temporary_ = folder_of(path_) / temporary_name(path_);
    fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd_ < 0 && errno == EEXIST) continue;
    if (fd_ < 0) fail("create", temporary_);
    const bool taken = ::flock(fd_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    struct stat mine;
    if (!taken && ::fstat(fd_, &mine) == 0 && mine.st_nlink > 0) return;
    ::close(fd_);
    fd_ = -1;
  }
  errno = EEXIST;
  fail("create", temporary_);
}

// Removes temporary files of this path whose writer is gone: nobody holds their lock. A file system
// without locks answers with another error; then all files stay.
void AtomicFile::remove_abandoned() const {
  std::error_code error;
  for (fs::directory_iterator it(folder_of(path_), error), end; !error && it != end;
       it.increment(error)) {
    if (!is_temporary_of(path_, it->path().filename().string())) continue;
    const int fd = ::open(it->path().c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) continue;
    struct stat found;
    if (::fstat(fd, &found) == 0 && S_ISREG(found.st_mode) && found.st_uid == ::geteuid() &&
        ::flock(fd, LOCK_EX | LOCK_NB) == 0)
      ::unlink(it->path().c_str());
    ::close(fd);
  }
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::unlink(temporary_.c_str());
  ::close(fd_);
}

void AtomicFile::fail(const char* action, const fs::path& on) const {
  const int error = errno;
  const bool full = error == ENOSPC || error == EDQUOT;
  throw FileError(fmt::format(
      "{}: cannot {} {}: {}{}; {}", path_.string(), action, on.string(), system_message(error),
      full             ? "; make room and try again"
      : error == EFBIG ? "; ulimit -f, or the file system, allows no file of this size"
                       : "",
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
// rename takes its first one away. If the file system has no hard links, it is renamed instead.
void AtomicFile::keep_previous() const {
  if (::access(path_.c_str(), F_OK) != 0) return;
  const auto previous = with_suffix(path_, ".previous");
  for (int tries = 0; tries < kTries; ++tries) {
    const auto link = folder_of(path_) / temporary_name(path_);
    if (::link(path_.c_str(), link.c_str()) != 0) {
      // ENOENT: another writer's file took the old one's place between the lookup and the link.
      if (errno == EEXIST || errno == ENOENT) continue;
      if (::rename(path_.c_str(), previous.c_str()) != 0 && errno != ENOENT)
        fail("keep the previous file as", previous);
      return;
    }
    const bool kept = ::rename(link.c_str(), previous.c_str()) == 0;
    const int error = errno;
    // rename does nothing when both names are already the same file: no name may be left over.
    ::unlink(link.c_str());
    if (kept) return;
    errno = error;
    // ENOENT: another writer took the link, which nobody locks, for an abandoned file.
    if (error != ENOENT) fail("keep the previous file as", previous);
  }
}

void AtomicFile::commit() {
  if (fd_ < 0) throw FileError(fmt::format("{}: committed twice", path_.string()));
  if (::fsync(fd_) != 0) fail("flush", temporary_);
  if (options_.keep_previous) keep_previous();
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("rename into place", temporary_);
  ::close(fd_);
  fd_ = -1;
  // The new name is data of the folder, so the folder is flushed, too. Some file systems cannot do
  // that. The rename has happened anyway, so this is no failure.
  const int folder_fd = ::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_fd >= 0) {
    ::fsync(folder_fd);
    ::close(folder_fd);
  }
}

void make_folders(const fs::path& folder) {
  struct stat found;
  if (::stat(folder.c_str(), &found) == 0 && !S_ISDIR(found.st_mode))
    throw FileError(
        fmt::format("{}: cannot be the folder: it {}", folder.string(),
                    S_ISREG(found.st_mode) ? std::string("is a file") : kind_of(found.st_mode)));
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    throw FileError(
        fmt::format("{}: cannot make this folder: {}", folder.string(), error.message()));
}

void write_file_atomically(const fs::path& path, std::string_view text, AtomicOptions options) {
  AtomicFile file(path, options);
  file.write(text);
  file.commit();
}

}  // namespace limulus

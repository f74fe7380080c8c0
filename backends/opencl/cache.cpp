#include "backends/opencl/cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "core/environment.h"
#include "core/note.h"
#include "formats/read_file.h"

namespace limulus::opencl {
namespace {

// A file descriptor, closed at the end of the block.
struct Descriptor {
  int number = -1;
  Descriptor() = default;
  explicit Descriptor(int fd) : number(fd) {}
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
  Descriptor(Descriptor&& other) noexcept : number(other.number) { other.number = -1; }
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number, other.number);
    return *this;
  }
};

constexpr mode_t for_others = S_IWGRP | S_IWOTH;

// "" or why the file or folder found there cannot be trusted. In a folder with the sticky bit
// (/tmp) others may make files, but not remove ours.
std::string suspicion(const std::string& path, const struct stat& found, bool parent) {
  const bool own = found.st_uid == ::geteuid() || (parent && found.st_uid == 0);
  const bool sticky = parent && (found.st_mode & S_ISVTX) != 0;
  if (!own) return fmt::format("{} belongs to another user", path);
  if ((found.st_mode & for_others) != 0 && !sticky)
    return fmt::format("other users may write to {} (chmod go-w makes it yours alone)", path);
  return "";
}

// The folder above ours, which is XDG_CACHE_HOME or ~/.cache.
std::string cache_home() {
  std::string cache = environment::of_others("XDG_CACHE_HOME");
  if (cache.starts_with('/')) return cache;
  const std::string home = environment::of_others("HOME");
  return home.starts_with('/') ? home + "/.cache" : "";
}

struct Opened {
  Descriptor folder;
  std::string why;  // why it cannot be used; else ""
};

// With `make`, folders that are missing are made, for this user alone.
Opened open_folder(bool make) {
  const std::string home = cache_home(), path = cache_folder();
  if (home.empty()) return {{}, "neither XDG_CACHE_HOME nor HOME names a folder"};
  if (make) {
    std::error_code ignored;  // what could not be made cannot be opened
    const std::filesystem::path above = std::filesystem::path(home + "/").parent_path();
    std::filesystem::create_directories(above.parent_path(), ignored);
    ::mkdir(home.c_str(), 0700);
    ::mkdir(path.c_str(), 0700);
  }
  struct stat found;
  if (::stat(home.c_str(), &found) != 0) return {{}, home + ": " + system_message(errno)};
  if (std::string why = suspicion(home, found, /*parent=*/true); !why.empty()) return {{}, why};
  Opened opened{Descriptor(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)),
                ""};
  const int error = errno;
  if (opened.folder.number < 0) {
    const bool link = ::lstat(path.c_str(), &found) == 0 && S_ISLNK(found.st_mode);
    return {{}, path + ": " + (link ? "it is a symbolic link" : system_message(error))};
  }
  if (::fstat(opened.folder.number, &found) != 0) return {{}, path + ": " + system_message(errno)};
  if (std::string why = suspicion(path, found, /*parent=*/false); !why.empty()) return {{}, why};
  return opened;
}

// A folder that does not exist yet is no problem to report.
bool missing() {
  struct stat found;
  return ::lstat(cache_folder().c_str(), &found) != 0 && errno == ENOENT;
}

void tell(const std::string& why) {
  note("the cache of built OpenCL kernels and measured sizes is not used: " + why);
}

// ---- a file: a line that can be read, the key, the content --------------------------------------

std::uint64_t fnv(const std::string& text, std::uint64_t h) {  // FNV-1a
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  return h;
}

// "limulus cache 2, key 312, content 40960, checksum 0123456789abcdef\n"
std::string header_of(const std::string& key, const std::string& content) {
  return fmt::format("limulus cache 2, key {}, content {}, checksum {:016x}\n", key.size(),
                     content.size(), fnv(content, fnv(key, 0xCBF29CE484222325u)));
}

// The bytes of a file in the open folder, if it is a file of ours; nullopt otherwise.
std::optional<std::string> bytes_of(int folder, const std::string& name, bool* there) {
  // O_NONBLOCK: a named pipe would make open() wait for a writer.
  const Descriptor file(
      ::openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  *there = file.number >= 0 || errno != ENOENT;
  struct stat found;
  constexpr off_t most = off_t{1} << 30;
  if (file.number < 0 || ::fstat(file.number, &found) != 0 || !S_ISREG(found.st_mode) ||
      found.st_size > most || !suspicion(name, found, /*parent=*/false).empty())
    return std::nullopt;
  std::string bytes(static_cast<std::size_t>(found.st_size), '\0');
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got = ::read(file.number, bytes.data() + have, bytes.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::nullopt;
    have += static_cast<std::size_t>(got);
  }
  return bytes;
}

bool write_all(int file, const std::string& bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t now = ::write(file, bytes.data() + done, bytes.size() - done);
    if (now < 0 && errno == EINTR) continue;
    if (now < 0) return false;
    done += static_cast<std::size_t>(now);
  }
  return true;
}

}  // namespace

std::string cache_folder() {
  const std::string home = cache_home();
  return home.empty() ? "" : home + "/limulus";
}

std::string cache_trouble() {
  const Opened opened = open_folder(/*make=*/false);
  return missing() && !cache_folder().empty() ? "" : opened.why;
}

std::string cache_note() {
  const std::string why = cache_trouble();
  return why.empty() ? cache_folder() : "not used: " + why;
}

std::optional<std::string> cache_read(const std::string& name, const std::string& key,
                                      bool* unusable) {
  if (unusable != nullptr) *unusable = false;
  const Opened opened = open_folder(/*make=*/false);
  if (!opened.why.empty()) {
    if (!missing()) tell(opened.why);
    return std::nullopt;
  }
  bool there = false;
  const std::optional<std::string> bytes = bytes_of(opened.folder.number, name, &there);
  if (unusable != nullptr) *unusable = there;
  if (!bytes) return std::nullopt;
  const std::size_t line = bytes->find('\n');
  if (line == std::string::npos || bytes->compare(line + 1, key.size(), key) != 0)
    return std::nullopt;
  std::string content = bytes->substr(line + 1 + key.size());
  if (bytes->compare(0, line + 1, header_of(key, content)) != 0) return std::nullopt;
  if (unusable != nullptr) *unusable = false;
  return content;
}

struct PreparedFile::Parts {
  Opened opened;
  std::string name, part, bytes;
};

PreparedFile::PreparedFile(const std::string& name, const std::string& key,
                           const std::string& content)
    : parts_(std::make_unique<Parts>()) {
  static std::atomic<int> count = 0;  // unique among threads, as getpid() is among processes
  *parts_ = {open_folder(/*make=*/true), name,
             fmt::format("{}.{}.{}.part", name, ::getpid(), count++),
             header_of(key, content) + key + content};
}

PreparedFile::~PreparedFile() = default;

const std::string& PreparedFile::why() const { return parts_->opened.why; }

int PreparedFile::write() const noexcept {
  const int folder = parts_->opened.folder.number;
  if (folder < 0) return EBADF;
  const char* part = parts_->part.c_str();
  ::unlinkat(folder, part, 0);  // left by a killed process with this number
  const Descriptor file(
      ::openat(folder, part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file.number < 0) return errno;
  if (write_all(file.number, parts_->bytes) &&
      ::renameat(folder, part, folder, parts_->name.c_str()) == 0)
    return 0;
  const int error = errno;
  ::unlinkat(folder, part, 0);
  return error;
}

std::string cache_write(const std::string& name, const std::string& key,
                        const std::string& content) noexcept {
  try {
    const PreparedFile file(name, key, content);
    if (!file.why().empty()) {
      tell(file.why());
      return file.why();
    }
    const int error = file.write();
    return error == 0 ? "" : cache_folder() + "/" + name + ": " + system_message(error);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "out of memory";
  }
}

// Two independent sums over the text (FNV-1a with different starts).
std::string hash_of(const std::string& text) {
  return fmt::format("{:016x}{:016x}", fnv(text, 0xCBF29CE484222325u),
                     fnv(text, 0x9E3779B97F4A7C15u));
}

}  // namespace limulus::opencl

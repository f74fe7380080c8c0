// Files that are opened and mapped, and what happens when one is cut meanwhile (read_file.h).
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <utility>

#include "core/error.h"
#include "core/printable.h"
#include "formats/open_file.h"
#include "formats/read_file.h"

namespace limulus {

// O_NONBLOCK: opening a named pipe without a writer returns at once; a file is read as usual.
// O_NOCTTY: a terminal does not become this process's own.
OpenFile::OpenFile(const std::filesystem::path& path)
    : fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {
  struct stat found;
  if (fd < 0 || ::fstat(fd, &found) != 0) {
    const int error = errno;
    if (fd >= 0) ::close(fd);
    // A socket cannot be opened at all.
    if (::stat(path.c_str(), &found) == 0 && !S_ISREG(found.st_mode))
      throw FileError(fmt::format("{}: {}", path.string(), kind_of(found.st_mode)));
    throw FileError(fmt::format("{}: cannot open: {}", path.string(), system_message(error)));
  }
  if (!S_ISREG(found.st_mode)) {
    ::close(fd);
    throw FileError(fmt::format("{}: {}", path.string(), kind_of(found.st_mode)));
  }
  size = static_cast<std::size_t>(found.st_size);
}

OpenFile::~OpenFile() { ::close(fd); }

// ---- which file is mapped where -----------------------------------------------------------------

namespace {

// A signal handler may neither lock nor allocate. So what it needs lies ready in a table: the ends
// of the mapping and the line to write. A slot is in use while `begin` is not 0, and `begin` is
// written last and cleared first. When all slots are in use, a new mapping gets none.
struct Slot {
  std::atomic<std::uintptr_t> begin{0};
  std::atomic<bool> claimed{false};
  std::uintptr_t end = 0;
  char line[512] = "";
};
Slot slots[64];

void remember(const std::filesystem::path& path, const void* data, std::size_t size) {
  for (Slot& slot : slots) {
    if (slot.claimed.exchange(true)) continue;
    const auto begin = reinterpret_cast<std::uintptr_t>(data);
    slot.end = begin + size;
    const auto text =
        fmt::format("error: {}: became shorter while it was in use: somebody else cut it\n",
                    printable(path.string()).substr(0, 400));
    std::strncpy(slot.line, text.c_str(), sizeof slot.line - 1);
    slot.begin.store(begin, std::memory_order_release);
    return;
  }
}

void forget(const void* data) {
  for (Slot& slot : slots) {
    auto begin = reinterpret_cast<std::uintptr_t>(data);
    if (slot.begin.compare_exchange_strong(begin, 0)) {
      slot.claimed.store(false);
      return;
    }
  }
}

void on_bus_error(int number, siginfo_t* info, void*) {
  const auto at = reinterpret_cast<std::uintptr_t>(info->si_addr);
  for (const Slot& slot : slots) {
    const auto begin = slot.begin.load(std::memory_order_acquire);
    // The last page ends beyond the file's last byte.
    if (begin == 0 || at < begin || at >= slot.end + 4096) continue;
    [[maybe_unused]] const auto written = ::write(2, slot.line, std::strlen(slot.line));
    ::_exit(1);
  }
  std::signal(number, SIG_DFL);  // not our fault: it happens again, and ends as usual
}

}  // namespace

void explain_lost_mappings() {
  struct sigaction action {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGBUS, &action, nullptr);
}

MappedFile::MappedFile(const std::filesystem::path& path) {
  const OpenFile file(path);
  if (file.size == 0) return;  // nothing can be mapped, and nothing needs to be
  void* at = ::mmap(nullptr, file.size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file.fd, 0);
  if (at == MAP_FAILED) {
    throw FileError(fmt::format("{}: cannot map {} bytes into memory: {}", path.string(), file.size,
                                system_message(errno)));
  }
  data_ = static_cast<const std::byte*>(at);
  size_ = file.size;
  remember(path, data_, size_);
}

void MappedFile::close() noexcept {
  if (data_ == nullptr) return;
  forget(data_);
  ::munmap(const_cast<std::byte*>(data_), size_);
}

MappedFile::~MappedFile() { close(); }

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

}  // namespace limulus

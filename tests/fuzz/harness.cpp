#include "harness.h"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

namespace limulus::fuzz {

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

// ---- the input as a file -----------------------------------------------------------------------

MemoryFile::MemoryFile() : fd_(::memfd_create("fuzz", MFD_CLOEXEC)) {
  require(fd_ >= 0, "memory for a file can be had");
  path_ = "/proc/self/fd/" + std::to_string(fd_);
}

MemoryFile::~MemoryFile() { ::close(fd_); }

void MemoryFile::resize(std::size_t bytes) {
  require(::ftruncate(fd_, static_cast<off_t>(bytes)) == 0, "a file can be resized");
}

void MemoryFile::set(Bytes bytes) {
  resize(0);
  const auto size = static_cast<ssize_t>(bytes.size());
  require(::pwrite(fd_, bytes.data(), bytes.size(), 0) == size, "a file can be written");
}

// ---- memory ------------------------------------------------------------------------------------

namespace {

std::atomic<std::size_t> most{SIZE_MAX};  // of one allocation
std::atomic<int> filled_with{-1};         // < 0: memory stays as it is

// Above this a sanitizer gives calloc memory that the system has zeroed, and that must stay so.
constexpr std::size_t largest_filled = 128 * 1024;

void see(const volatile void* memory, std::size_t bytes) {
  if (bytes > most) {
    std::fprintf(stderr, "an allocation of %zu bytes, where at most %zu are allowed\n", bytes,
                 most.load());
    std::abort();
  }
  const int fill = filled_with;
  if (fill >= 0 && bytes <= largest_filled) std::memset(const_cast<void*>(memory), fill, bytes);
}

}  // namespace

MemoryWatch::MemoryWatch(std::size_t input_size, std::uint8_t fill) {
  most = 64 * input_size + (std::size_t{64} << 20);
  filled_with = fill;
  ::mallopt(M_PERTURB, fill ^ 0xFF);  // glibc's malloc fills with what this is not
}

MemoryWatch::~MemoryWatch() {
  most = SIZE_MAX;
  filled_with = -1;
  ::mallopt(M_PERTURB, 0);
}

}  // namespace limulus::fuzz

// The address sanitizer calls a hook for each allocation of any kind. Without it, `new` is
// replaced.
#if defined(__SANITIZE_ADDRESS__)
#define LIMULUS_HOOKED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LIMULUS_HOOKED
#endif
#endif

#ifdef LIMULUS_HOOKED

extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void*,
                                                                             std::size_t),
                                                         void (*free_hook)(const volatile void*));

namespace {
const int hooked =
    __sanitizer_install_malloc_and_free_hooks(limulus::fuzz::see, [](const volatile void*) {});
}

#else

void* operator new(std::size_t bytes) {
  void* memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) throw std::bad_alloc();
  limulus::fuzz::see(memory, bytes);
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

#endif

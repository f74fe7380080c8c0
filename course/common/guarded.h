#pragma once
// Floats between two protected pages of memory: if the program reads or writes outside of them, it
// ends, and says in which array that was and how far outside.
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>

namespace course {

// An array can touch one of the two pages only, unless it fills whole pages itself. So a call is
// made twice: once with all arrays at the end of their room, once at its beginning.
enum class Place { kEnd, kBegin };

class Guarded {
 public:
  Guarded(const char* name, std::int64_t count, Place place)
      : name_(name),
        count_(count),
        room_(((count * kFloat + kPage - 1) / kPage + (count == 0 ? 1 : 0)) * kPage) {
    void* all = mmap(nullptr, static_cast<std::size_t>(room_ + 2 * kPage), PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED) throw std::bad_alloc();
    begin_ = static_cast<char*>(all) + kPage;
    mprotect(begin_, static_cast<std::size_t>(room_), PROT_READ | PROT_WRITE);
    data_ =
        reinterpret_cast<float*>(place == Place::kBegin ? begin_ : begin_ + room_ - count * kFloat);
    float* values = reinterpret_cast<float*>(begin_);
    for (std::int64_t i = 0; i < room_ / kFloat; ++i) values[i] = poison();
    next_ = first();
    first() = this;
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() {
    Guarded** link = &first();
    while (*link != this) link = &(*link)->next_;
    *link = next_;
    munmap(begin_ - kPage, static_cast<std::size_t>(room_ + 2 * kPage));
  }

  float* data() const { return data_; }
  // From now on to be read only.
  void protect() { mprotect(begin_, static_cast<std::size_t>(room_), PROT_READ); }

  // std::runtime_error where the remainder of the array's pages was written to.
  void check() const {
    const float* values = reinterpret_cast<const float*>(begin_);
    for (std::int64_t i = 0; i < room_ / kFloat; ++i) {
      const bool inside = values + i >= data_ && values + i < data_ + count_;
      if (!inside && !is_poison(values[i]))
        throw std::runtime_error(std::string("wrote outside of ") + name_ + ": " +
                                 where(values + i));
    }
  }

  // NaN, as of a value that was never written, and told from every other NaN by its bits.
  static float poison() {
    float value;
    std::memcpy(&value, &kPoison, sizeof value);
    return value;
  }
  static bool is_poison(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits == kPoison;
  }

  // Lets a crash within or beside one of these arrays say which one it was.
  static void explain_crashes() {
    struct sigaction action = {};
    action.sa_sigaction = [](int signal_number, siginfo_t* info, void*) {
      const char* at = static_cast<const char*>(info->si_addr);
      for (const Guarded* g = first(); g != nullptr; g = g->next_) {
        if (at < g->begin_ - kPage || at >= g->begin_ + g->room_ + kPage) continue;
        char text[160];
        const bool inside = at >= g->begin_ && at < g->begin_ + g->room_;
        const int length =
            inside ? std::snprintf(text, sizeof text, "it wrote to %s, which is const\n", g->name_)
                   : std::snprintf(text, sizeof text, "it read or wrote outside of %s: %s\n",
                                   g->name_, g->where(at).c_str());
        if (write(2, text, static_cast<std::size_t>(length)) < 0) break;
      }
      signal(signal_number, SIG_DFL);  // and the instruction is tried again
    };
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &action, nullptr);
  }

 private:
  static constexpr std::int64_t kPage = 4096, kFloat = sizeof(float);
  static constexpr std::uint32_t kPoison = 0x7fc5a1ed;

  static Guarded*& first() {
    static Guarded* list = nullptr;
    return list;
  }
  std::string where(const void* place) const {
    const char* at = static_cast<const char*>(place);
    const char* begin = reinterpret_cast<const char*>(data_);
    const char* end = reinterpret_cast<const char*>(data_ + count_);
    return at < begin ? std::to_string(begin - at) + " bytes in front of its first value"
                      : std::to_string(at - end) + " bytes after its last value";
  }

  const char* name_;
  std::int64_t count_, room_;
  char* begin_;
  float* data_;
  Guarded* next_;
};

}  // namespace course

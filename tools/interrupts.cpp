#include "tools/interrupts.h"

#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <list>

namespace limulus::tools {
namespace {

// The handler runs in the middle of anything, on any thread: it only touches these, and calls what
// POSIX allows it (signal-safety(7)).
std::atomic<bool> wanted{false};
std::atomic<int> came{0};                      // the first signal
std::atomic<std::int64_t> came_at{0};          // when, in milliseconds; 0: none yet
std::atomic<const char*> last_words{nullptr};  // if set: a signal ends the program
static_assert(std::atomic<const char*>::is_always_lock_free);
static_assert(std::atomic<std::int64_t>::is_always_lock_free);

// All that end a program that does not ask otherwise, and are no fault of its own.
constexpr int caught[] = {SIGINT, SIGTERM, SIGHUP,  SIGQUIT, SIGUSR1,   SIGUSR2,  SIGXCPU,
                          SIGPWR, SIGALRM, SIGPROF, SIGIO,   SIGVTALRM, SIGSTKFLT};

// One wish to end often comes twice: `timeout` sends its signal to the program and then to its
// whole group, and what runs a program for somebody passes on the Ctrl-C that the program has had
// from the terminal itself. Whoever loses patience needs longer than this.
constexpr std::int64_t echo = 500;

std::int64_t now() {  // clock_gettime is among what a handler may call
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return std::int64_t{t.tv_sec} * 1000 + t.tv_nsec / 1'000'000;
}

void on_signal(int number) {
  const int error = errno;
  std::int64_t never = 0;
  const bool first = came_at.compare_exchange_strong(never, now());
  if (first) came = number;
  const bool again = !first && number != SIGXCPU && now() - came_at >= echo;
  const char* words = last_words.load();
  if (words == nullptr && !again) {
    wanted = true;
    errno = error;
    return;
  }
  if (words != nullptr) {
    std::size_t length = 0;
    while (words[length] != '\0') ++length;
    if (::write(STDERR_FILENO, words, length) < 0) errno = error;  // nobody reads it: no matter
  }
  end_by(number);
}

}  // namespace

void end_by(int signal) {
  std::signal(signal, SIG_DFL);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, signal);
  pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
  std::raise(signal);
  _exit(128 + signal);  // the first process of a container is not ended by a signal
}

const std::atomic<bool>& interrupted() { return wanted; }

void catch_interrupts() {
  last_words = nullptr;
  for (const int signal : caught) {
    struct sigaction before;
    if (sigaction(signal, nullptr, &before) != 0 || before.sa_handler == SIG_IGN) continue;
    struct sigaction action = {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;  // a write of a checkpoint is not cut short
    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, nullptr);
  }
}

void end_at_interrupt(const std::string& last_line) {
  // All of them are kept to the end, and beyond that of statics: a signal may be reading one.
  static auto& kept = *new std::list<std::string>;
  last_words = kept.emplace_back("\n" + last_line + "\n").c_str();
  end_if_interrupted();
}

void end_if_interrupted() {
  const int signal = came;
  if (signal == 0) return;
  std::fflush(stdout);
  end_by(signal);
}

}  // namespace limulus::tools

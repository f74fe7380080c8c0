#pragma once
// A driver may crash in its self-check, and take the program with it. That cannot be prevented in
// one process. But it happens once only: while this object exists, a signal that ends the program
// (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT) first keeps a verdict in the cache and prints a line
// that says what happened. The next start reads the verdict, and refuses the driver by name.
//
// Ctrl-C and kill keep nothing: they say nothing of the driver.
#include <csignal>
#include <string>

#include "backends/opencl/cache.h"

namespace limulus::opencl {

class CrashVerdict {
 public:
  // `verdict` is kept under `name` for `key` (cache.h); `message` is printed on stderr. One object
  // at a time: a second one does nothing.
  CrashVerdict(const std::string& name, const std::string& key, const std::string& verdict,
               std::string message);
  ~CrashVerdict();  // the handlers that were there before come back
  CrashVerdict(const CrashVerdict&) = delete;
  CrashVerdict& operator=(const CrashVerdict&) = delete;

 private:
  static constexpr int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
  static constexpr int count = sizeof signals / sizeof *signals;
  static void on_signal(int signal);

  PreparedFile file_;
  std::string message_;
  bool active_ = false;
  struct sigaction before_[count] = {};
};

}  // namespace limulus::opencl

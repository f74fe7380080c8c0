#include "backends/opencl/crash_verdict.h"

#include <unistd.h>

#include <atomic>
#include <utility>

namespace limulus::opencl {
namespace {

std::atomic<const CrashVerdict*> current = nullptr;

}  // namespace

CrashVerdict::CrashVerdict(const std::string& name, const std::string& key,
                           const std::string& verdict, std::string message)
    : file_(name, key, verdict), message_(std::move(message)) {
  const CrashVerdict* nobody = nullptr;
  active_ = current.compare_exchange_strong(nobody, this);
  if (!active_) return;
  struct sigaction handler = {};
  handler.sa_handler = on_signal;
  sigemptyset(&handler.sa_mask);
  for (int i = 0; i < count; ++i) sigaction(signals[i], &handler, &before_[i]);
}

CrashVerdict::~CrashVerdict() {
  if (!active_) return;
  for (int i = 0; i < count; ++i) sigaction(signals[i], &before_[i], nullptr);
  current = nullptr;
}

// Any thread of the program, with anything half done: system calls alone.
void CrashVerdict::on_signal(int signal) {
  if (const CrashVerdict* verdict = current.exchange(nullptr)) {
    verdict->file_.write();
    const ssize_t ignored =
        ::write(STDERR_FILENO, verdict->message_.data(), verdict->message_.size());
    static_cast<void>(ignored);
  }
  std::signal(signal, SIG_DFL);
  raise(signal);  // comes when this handler has returned, and ends the program as it would have
}

}  // namespace limulus::opencl

#include "core/trace.h"

#include <fmt/core.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <exception>
#include <mutex>

#include "core/at_fork.h"
#include "core/backend.h"
#include "core/environment.h"

namespace limulus {
namespace {

void print_event(const TraceEvent& e) {
  fmt::print(stderr, "{:>9.3f} ms  {:<10} {:<9} {}{:<24} {}{}{}{}\n", e.seconds * 1e3, e.backend,
             e.kernel, e.scope.empty() ? "" : e.scope + (e.backward ? "' " : " "), e.primitive,
             e.shapes, *e.method == '\0' ? "" : " by ", e.method,
             e.fallback ? "  (fallback: no kernel of its own)" : "");
}

struct Listener {
  std::mutex mutex;
  AtFork at_fork{AtFork::Stage::memory, mutex};
  std::function<void(const TraceEvent&)> sink;
  std::atomic<bool> active{false};

  Listener() {
    if (!environment::is_on("LIMULUS_TRACE", false)) return;
    sink = print_event;
    active = true;
  }
};

Listener& listener() {
  static Listener instance;
  return instance;
}

thread_local std::string scope_name;
thread_local bool scope_backward = false;

double now() {
  using namespace std::chrono;
  return duration<double>(steady_clock::now().time_since_epoch()).count();
}

}  // namespace

void set_trace_sink(std::function<void(const TraceEvent&)> sink) {
  Listener& l = listener();
  const std::lock_guard lock(l.mutex);
  l.active = static_cast<bool>(sink);
  l.sink = std::move(sink);
}

bool tracing() { return listener().active.load(std::memory_order_relaxed); }

void Trace::start(const Backend& backend, const char* primitive, const char* kernel,
                  std::string shapes, bool fallback) {
  running_ = true;
  backend_ = &backend;
  event_ = {primitive,      kernel,   "", backend.name(), std::move(shapes), scope_name,
            scope_backward, fallback, 0};
  exceptions_ = std::uncaught_exceptions();
  began_ = now();
}

void Trace::stop() {
  // A queue of a device runs behind the host: wait, so that the time is the primitive's own.
  try {
    const_cast<Backend*>(backend_)->synchronize();
  } catch (...) {
    if (std::uncaught_exceptions() > exceptions_) return;
    throw;
  }
  event_.seconds = now() - began_;
  trace(event_);
}

void trace(const TraceEvent& event) {
  Listener& l = listener();
  const std::lock_guard lock(l.mutex);
  if (l.sink) l.sink(event);
}

TraceScope::TraceScope(std::string name, bool backward)
    : outer_(std::move(scope_name)), outer_backward_(scope_backward) {
  scope_name = std::move(name);
  scope_backward = backward;
}

TraceScope::~TraceScope() {
  scope_name = std::move(outer_);
  scope_backward = outer_backward_;
}

const std::string& TraceScope::current() { return scope_name; }

}  // namespace limulus

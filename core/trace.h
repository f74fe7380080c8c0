#pragma once
// "How was it executed?" Every primitive that runs reports itself here when somebody listens:
// LIMULUS_TRACE=1 prints one line per primitive to stderr, and `bench` and the training report add
// up times per layer from the same events.
#include <functional>
#include <string>

namespace limulus {

class Backend;

struct TraceEvent {
  const char* primitive = "";  // "conv2d_forward"
  const char* kernel = "";     // what ran: "avx512", "opencl", "reference"
  const char* method = "";     // how, where there are several ways: "direct"
  std::string backend;         // "cpu"
  std::string shapes;          // "x[32, 3, 227, 227] w[96, 3, 11, 11]"
  std::string scope;           // the layer, as named by TraceScope: "conv1"
  bool backward = false;
  bool fallback = false;  // the backend has no such kernel: reference ran in its place
  double seconds = 0;
};

// One listener; an empty function stops listening.
void set_trace_sink(std::function<void(const TraceEvent&)> sink);
bool tracing();
// Tells the listener, if there is one, of something that is no primitive.
void trace(const TraceEvent& event);

// Times a primitive from here to the end of the block. `shapes` is called only when somebody
// listens.
class Trace {
 public:
  template <class Shapes>
  Trace(const Backend& backend, const char* primitive, const char* kernel, Shapes shapes,
        bool fallback = false) {
    if (tracing()) start(backend, primitive, kernel, shapes(), fallback);
  }
  // Where the device fails to finish, that is thrown, as it would be by a call that waits; but not
  // over another exception.
  ~Trace() noexcept(false) {
    if (running_) stop();
  }
  void used(const char* method) { event_.method = method; }
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;

 private:
  void start(const Backend& backend, const char* primitive, const char* kernel, std::string shapes,
             bool fallback);
  void stop();

  bool running_ = false;
  const Backend* backend_ = nullptr;
  TraceEvent event_;
  double began_ = 0;
  int exceptions_ = 0;  // that were on their way at the start
};

// Names the layer that runs in this block, on this thread. Operations remember the name, so that
// their backward is counted for the same layer.
class TraceScope {
 public:
  explicit TraceScope(std::string name, bool backward = false);
  ~TraceScope();
  TraceScope(const TraceScope&) = delete;
  TraceScope& operator=(const TraceScope&) = delete;
  static const std::string& current();

 private:
  std::string outer_;
  bool outer_backward_;
};

}  // namespace limulus

// limulus.trace(): which primitives ran, how, and how long (core/trace.h). Events are collected in
// C++, so that a kernel never waits for Python.
#include "core/trace.h"

#include <fmt/format.h>

#include <map>
#include <memory>
#include <mutex>

#include "core/error.h"
#include "pages/html.h"
#include "python/bindings.h"

namespace limulus::python {
namespace {

struct Events {
  std::mutex mutex;
  std::vector<TraceEvent> all;
};

class TraceBlock {
 public:
  TraceBlock() = default;
  ~TraceBlock() { leave(); }
  TraceBlock(const TraceBlock&) = delete;
  TraceBlock& operator=(const TraceBlock&) = delete;
  void enter() {
    const Computing computing;
    if (listening) throw GraphError("trace: another trace() block is open, and events go to one");
    events_->all.clear();
    set_trace_sink([events = events_](const TraceEvent& e) {
      const std::lock_guard lock(events->mutex);
      events->all.push_back(e);
    });
    listening = mine_ = true;
  }
  void leave() {
    const Computing computing;
    if (!mine_) return;
    set_trace_sink({});
    listening = mine_ = false;
  }
  std::vector<TraceEvent> events() const {
    const std::lock_guard lock(events_->mutex);
    return events_->all;
  }

 private:
  static inline bool listening = false;  // with the lock of Computing
  bool mine_ = false;
  std::shared_ptr<Events> events_ = std::make_shared<Events>();
};

std::string line_of(const TraceEvent& e) {
  return fmt::format("{:>9.3f} ms  {:<9} {:<9} {:<8} {:<24} {}{}{}", e.seconds * 1e3, e.backend,
                     e.kernel, e.scope + (e.backward ? "'" : ""), e.primitive, e.shapes,
                     *e.method == '\0' ? "" : std::string(" by ") + e.method,
                     e.fallback ? "  (fallback: no kernel of its own)" : "");
}

std::string text_of(const TraceBlock& block) {
  std::string text;
  double seconds = 0;
  for (const TraceEvent& e : block.events()) {
    text += line_of(e) + "\n";
    seconds += e.seconds;
  }
  return text + fmt::format("{:>9.3f} ms  in all\n", seconds * 1e3);
}

// A row for each layer, forward and backward, the slowest with the longest bar.
std::string table_of(const TraceBlock& block) {
  std::map<std::string, std::pair<double, std::string>> layers;
  std::vector<std::string> order;
  double most = 0;
  for (const TraceEvent& e : block.events()) {
    const std::string name = (e.scope.empty() ? e.primitive : e.scope) + (e.backward ? "'" : "");
    const auto [row, is_new] = layers.try_emplace(name);
    if (is_new) order.push_back(name);
    row->second.first += e.seconds;
    row->second.second = fmt::format("{} {}", e.backend, e.kernel);
    most = std::max(most, row->second.first);
  }
  std::string rows;
  for (const std::string& name : order) {
    const auto& [seconds, where] = layers.at(name);
    rows += fmt::format(
        "<tr><td style=\"text-align:left\">{}</td><td style=\"text-align:left\">{}</td><td>{:.3f} "
        "ms</td><td style=\"text-align:left\"><div style=\"background:#4a7fb5;height:0.8em;"
        "width:{:.0f}px\"></div></td></tr>\n",
        html::escape(name), html::escape(where), seconds * 1e3,
        most > 0 ? 200 * seconds / most : 0.0);
  }
  return "<table><thead><tr><th>layer (' is backward)</th><th>ran on</th><th>time</th><th></th>"
         "</tr></thead>\n<tbody>" +
         rows + "</tbody></table>";
}

}  // namespace

void bind_trace(nb::module_& m) {
  nb::class_<TraceEvent>(m, "TraceEvent", "One primitive that ran.")
      .def_prop_ro("primitive", [](const TraceEvent& e) { return e.primitive; })
      .def_prop_ro("kernel", [](const TraceEvent& e) { return e.kernel; })
      .def_prop_ro("method", [](const TraceEvent& e) { return e.method; })
      .def_ro("device", &TraceEvent::backend)
      .def_ro("shapes", &TraceEvent::shapes)
      .def_ro("layer", &TraceEvent::scope)
      .def_ro("backward", &TraceEvent::backward)
      .def_ro("fallback", &TraceEvent::fallback)
      .def_ro("seconds", &TraceEvent::seconds)
      .def("__repr__", &line_of);
  nb::class_<TraceBlock>(m, "trace",
                         "with trace() as t: ... records each primitive that runs in the block: "
                         "t.events, print(t). There is one at a time, for all threads.")
      .def(nb::init<>())
      .def(
          "__enter__",
          [](TraceBlock& t) -> TraceBlock& {
            t.enter();
            return t;
          },
          nb::rv_policy::reference)
      .def("__exit__", [](TraceBlock& t, const nb::args&) { t.leave(); })
      .def_prop_ro("events", &TraceBlock::events, "What ran so far, a TraceEvent each.")
      .def("__repr__", &text_of)
      .def("_repr_html_", &table_of);
}

}  // namespace limulus::python

#include "training/profile.h"

namespace limulus {

Profile::Profile() {
  set_trace_sink([this](const TraceEvent& event) { add(event); });
}

Profile::~Profile() { set_trace_sink({}); }

void Profile::add(const TraceEvent& event) {
  const auto [found, fresh] = index_.emplace(event.scope, layers_.size());
  if (fresh) layers_.push_back({event.scope});
  LayerTime& layer = layers_[found->second];
  (event.backward ? layer.backward : layer.forward) += event.seconds;
  std::string& methods = event.backward ? layer.backward_method : layer.forward_method;
  const std::string method = event.method;
  if (method.empty() || methods.find(method) != std::string::npos) return;
  methods += (methods.empty() ? "" : ", ") + method;
}

}  // namespace limulus

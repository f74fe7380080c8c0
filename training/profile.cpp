#include "training/profile.h"

namespace limulus {

Profile::Profile() {
  set_trace_sink([this](const TraceEvent& event) { add(event); });
}

Profile::~Profile() { set_trace_sink({}); }

void Profile::add(const TraceEvent& event) {
  const auto [found, fresh] = index_.emplace(event.scope, layers_.size());
  if (fresh) layers_.push_back({event.scope, 0, 0});
  LayerTime& layer = layers_[found->second];
  (event.backward ? layer.backward : layer.forward) += event.seconds;
}

}  // namespace limulus

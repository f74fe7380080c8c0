#pragma once
// Where a training step's time goes: seconds per layer, forward and backward, from the trace.
#include <map>
#include <string>
#include <vector>

#include "core/trace.h"

namespace limulus {

struct LayerTime {
  std::string layer;  // "" collects what ran outside of any layer: the loss, the update
  double forward = 0, backward = 0;  // seconds
  // By which methods, where a primitive has several: "winograd F(5x5,3x3)"; each is named once.
  std::string forward_method = {}, backward_method = {};
};

// Listens to the trace while it lives, and adds up. Layers come in the order in which they ran
// first.
class Profile {
 public:
  Profile();
  ~Profile();
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;
  const std::vector<LayerTime>& layers() const { return layers_; }

 private:
  void add(const TraceEvent& event);
  std::vector<LayerTime> layers_;
  std::map<std::string, std::size_t> index_;
};

}  // namespace limulus

#pragma once
// The walk through a network's sizes (layers/walk.h), as Python sees it.
#include <string>
#include <vector>

#include "layers/module.h"
#include "python/bindings.h"

namespace limulus::python {

struct Walk {
  std::vector<WalkStep> steps;
};
Walk walk_of(const Module& module, const Sizes& input);

}  // namespace limulus::python

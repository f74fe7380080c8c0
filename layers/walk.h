#pragma once
// The walk through a network's sizes, for people and for programs: what Module::walk returns as
// data is printed here as a table for a terminal, as Markdown and as JSON.
#include <string>
#include <vector>

#include "core/amounts.h"
#include "core/window.h"
#include "layers/module.h"

namespace limulus {

struct WalkTotals {
  std::int64_t parameters = 0, connections = 0, multiply_adds = 0, memory = 0;
};
WalkTotals totals(const std::vector<WalkStep>& steps);

// One line per layer: its output-size formula with the numbers put in, then shape (of one image),
// parameters, connections, multiply-adds and the memory of its output; totals at the end.
std::string walk_text(const std::vector<WalkStep>& steps);
std::string walk_markdown(const std::vector<WalkStep>& steps);
// {"batch": 1, "steps": [{"name": "conv1", "kind": "Conv2d", ...}], "totals": {...}}; a count that
// does not fit in 63 bits is the text "more than 9223372036854775806".
std::string walk_json(const std::vector<WalkStep>& steps);

std::string image_size(const Shape& batch);  // [32, 96, 55, 55] -> "96x55x55"

// The formula of both axes, or of one where they are the same.
std::string formula_of(const Window2d& window);
// Of a kernel or window: "11x11, stride 4, padding 2"; what is 1 or 0 is left out.
std::string describe_window(const Window2d& window);

}  // namespace limulus

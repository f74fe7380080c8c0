#pragma once
// Where in a tensor the errors are, as a map: filled entry by entry, shown as text.
#include <cstdint>
#include <string>
#include <vector>

#include "gradcheck/gradcheck.h"

namespace limulus {

// The maps of a tensor of this shape, with nothing in them: of its last two axes, and of the two
// before them where it has more. A scalar has none.
std::vector<GradcheckMap> empty_maps(const Shape& shape);

// Counts the entry at `index` of a tensor of this shape.
void mark(GradcheckMap& map, const Shape& shape, const std::vector<std::int64_t>& index,
          double error, bool wrong);

// A picture of where the wrong entries are; empty when they are everywhere.
std::string map_text(const GradcheckMap& map);

}  // namespace limulus

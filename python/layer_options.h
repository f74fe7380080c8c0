#pragma once
// What the layers' functions and their modules read alike.
#include <optional>
#include <string>

#include "layers/local_response_norm.h"
#include "layers/pool2d.h"
#include "python/bindings.h"

namespace limulus::python {

AlphaConvention convention_from(const std::string& name);  // ValueError names the two
LrnRegion region_from(const std::string& name);            // ValueError names the two
Pool2dOptions pool_options(const Pair& kernel, const std::optional<Pair>& stride,
                           const Pair& padding, bool ceil, bool count_include_pad);

}  // namespace limulus::python

#pragma once
// sum and mean, as functions and as methods: of all values, or over one axis.
#include <optional>

#include "core/algebra.h"

namespace limulus::python {

inline Tensor sum_over(const Tensor& x, std::optional<int> axis, bool keep) {
  return axis ? sum(x, *axis, keep) : sum(x);
}
inline Tensor mean_over(const Tensor& x, std::optional<int> axis, bool keep) {
  return axis ? mean(x, *axis, keep) : mean(x);
}

}  // namespace limulus::python

#pragma once
// The part of a gradient check that judges: one tensor's gradient against differences.
#include <vector>

#include "core/rng.h"
#include "gradcheck/finite_differences.h"
#include "gradcheck/gradcheck.h"

namespace limulus {

// Fills in everything of `t` but its diagnosis, and returns all entries that were compared.
std::vector<GradcheckEntry> compare_gradient(GradcheckTensor& t, const Tensor& x,
                                             const std::vector<double>& gradient,
                                             const FiniteDifferences& differences,
                                             const GradcheckOptions& options, Rng& rng);

}  // namespace limulus

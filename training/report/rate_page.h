#pragma once
// The page of `limulus train --find-rate`: the curve, and which rate it suggests and why.
#include <string>

#include "training/config.h"
#include "training/rate_sweep.h"

namespace limulus {

// Sentences, as plain text, for the page and for the terminal.
std::string rates_seen(const RateSweep& sweep, const TrainConfig& config);  // of which pictures
std::string rates_told(const RateSweep& sweep, const RateSweepOptions& options);
std::string rate_suggested(const RateSweep& sweep);  // and why; or what to do without one

// The steps of a table, two in a decade, and those that the sentences name: indices of
// sweep.steps.
std::vector<std::size_t> rates_to_show(const RateSweep& sweep);

std::string rate_page(const RateSweep& sweep, const RateSweepOptions& options,
                      const TrainConfig& config, const std::string& command);

}  // namespace limulus

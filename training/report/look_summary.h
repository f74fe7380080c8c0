#pragma once
// What the page of `limulus look` and its summary for programs both say.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "training/report/look.h"

namespace limulus {

using Json = nlohmann::ordered_json;

std::vector<std::int64_t> without_batch(const Shape& shape);  // [1, C, H, W] -> C, H, W

// The likeliest `count` classes: name, index and probability of each.
Json guesses_json(const TrainedModel& trained, const Look& look, int count);

}  // namespace limulus

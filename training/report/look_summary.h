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

// The nearest training photographs, with a picture of each as a data URI where `pictures`; or why
// there are none.
Json neighbours_json(const TrainedModel& trained, const Neighbours& found, bool pictures);

}  // namespace limulus

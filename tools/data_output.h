#pragma once
// What `limulus train` and `limulus evaluate` say of the pictures: how the folder was read, what is
// counted, and what was skipped by which rule; for people and as JSON; and which weights a run
// begins with.
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "training/data/dataset.h"
#include "training/initial_weights.h"
#include "training/records.h"

namespace limulus::tools {

// "5 classes (daisy, dandelion, roses, sunflowers, tulips)"
std::string classes_text(const std::vector<std::string>& classes);

// "800 training images"; "799 of 800 training images" where some cannot be used.
std::string usable_text(std::int64_t usable, std::int64_t all, const std::string& what);

// How many by each rule, then at most `most` of them by name, without what is hidden or no picture
// (which a report and JSON list). Nothing when nothing was skipped.
void print_skipped(const std::vector<Skipped>& skipped, std::size_t most);

// What was taken from a file of weights, what starts anew, and what is otherwise here than there.
void print_initial_weights(const InitialWeights& begun);

// {"count": 3, "by_rule": {"hidden": 2, "unreadable": 1}}, and with `list` {"list": [...]}.
nlohmann::ordered_json skipped_json(const std::vector<Skipped>& skipped, bool list);
nlohmann::ordered_json skipped_json(const Skipped& skipped);

// Accuracy and loss of an evaluation, null where nothing was evaluated.
nlohmann::ordered_json numbers_json(const Evaluation& e);

}  // namespace limulus::tools

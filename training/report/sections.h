#pragma once
// The sections of a report's page; report.cpp sets them one after the other. Each is the HTML
// inside of a <section>, or a sentence that says why there is nothing to show.
#include <string>
#include <string_view>

#include "training/records.h"

namespace limulus::report {

std::string curves(const RunReport& run);     // loss and accuracy, the table of epochs
std::string filters(const RunReport& run);    // the first convolution
std::string confusion(const RunReport& run);  // who is taken for whom
std::string mistakes(const RunReport& run);   // pictures
std::string times(const RunReport& run);      // of the layers
std::string network(const RunReport& run);    // the walk
std::string settings(const RunReport& run);
std::string provenance(const RunReport& run);
std::string skipped(const RunReport& run);
std::string missing(const RunReport& run);  // of a page made after the run

// The evaluation to look at in detail: of the centre crop if it was made.
const Evaluation& detailed(const RunReport& run);
const char* crops_of_detailed(const RunReport& run);  // "centre crop"

// Why there is no evaluation: "Nothing was held out", "The held-out images were not evaluated".
const char* no_result(const RunReport& run);

std::string class_name(const RunReport& run, std::int64_t index);  // escaped; "class 7" if unnamed

}  // namespace limulus::report

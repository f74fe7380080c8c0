#pragma once
// The page of a run's snapshots, and the parts that the live page shares with it.
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "training/report/snapshot_series.h"

namespace limulus {

// `index` is that of the series in `folder`. The page holds a hundred snapshots at most, evenly
// spaced. FileError where a picture of it is not there any more.
std::string snapshot_page(const std::filesystem::path& folder, const nlohmann::ordered_json& index,
                          const SeriesSubject& subject);

// A list of bars, one for each of these classes; that of the photograph stands out.
std::string probability_bars(const SeriesSubject& subject, const std::vector<std::int64_t>& classes,
                             const std::vector<float>& probabilities);

// "IMG_12.jpg, held out: roses" escaped.
std::string photograph_text(const SeriesSubject& subject);

}  // namespace limulus

#pragma once
// The page of `limulus look`: one file that needs no server, no network and no other file. It holds
// the values of every layer, the convolutions' weights and the gradients, so that any unit's
// arithmetic can be shown on it.
//
//   look_page.cpp   the page's frame, and the numbers in it; look_summary.cpp: the rest
//   look.css, look_units.js (a unit's arithmetic), look_page.js (drawing)
#include <string>

#include "training/report/look.h"

namespace limulus {

struct LookTitle {
  std::string photograph;  // the file's name
  std::string checkpoint;
  std::string command;  // that made the page
};

// HTML, of `look` and the photograph that it was made from.
std::string look_page(const TrainedModel& trained, const Look& look, const Image& photograph,
                      const LookTitle& title);

// The summary for programs: classes with probabilities, each layer's size, share of zeros and
// strongest maps, and the places that the five pictures point at.
std::string look_json(const TrainedModel& trained, const Look& look, const LookTitle& title);

// A layer's maps, that with the largest value first.
struct MapSummary {
  std::int64_t channel;
  float largest;
};
std::vector<MapSummary> strongest_maps(const SeenLayer& layer);

// All maps of a layer as one grey picture, the strongest first: each between its least value
// (black) and its largest (white); of `most` maps, if that is not 0. ValueError where the layer has
// none.
Image map_sheet(const SeenLayer& layer, std::int64_t most = 0);

}  // namespace limulus

// What a network sees in a photograph, without a page: the maps of a layer as one picture, and a
// summary for programs.
#include "training/report/look_summary.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <numeric>

#include "core/error.h"
#include "training/metrics.h"
#include "training/report/look_page.h"
#include "training/report/thumbnail.h"

namespace limulus {
namespace {

// The middle of a map's largest value, in pixels of the network's square.
Json peak_of(const PlaceMap& map, double first, double step) {
  const auto plane = static_cast<std::size_t>(map.height * map.width);
  const auto begin = map.values.begin();
  const auto at = std::max_element(begin, begin + static_cast<std::ptrdiff_t>(plane)) - begin;
  const std::ptrdiff_t row = at / map.width, column = at % map.width;
  return {{"x", first + step * static_cast<double>(column)},
          {"y", first + step * static_cast<double>(row)}};
}

std::vector<std::int64_t> best_classes(const Look& look, int count) {
  return top_k(look.probabilities.data(), static_cast<std::int64_t>(look.probabilities.size()),
               count);
}

}  // namespace

std::vector<std::int64_t> without_batch(const Shape& shape) {
  return {shape.sizes().begin() + 1, shape.sizes().end()};
}

Json guesses_json(const TrainedModel& trained, const Look& look, int count) {
  Json guesses = Json::array();
  for (const std::int64_t c : best_classes(look, count)) {
    const auto at = static_cast<std::size_t>(c);
    guesses.push_back(
        {{"class", trained.classes.at(at)}, {"index", c}, {"probability", look.probabilities[at]}});
  }
  return guesses;
}

Json neighbours_json(const TrainedModel& trained, const Neighbours& found, bool pictures) {
  if (!found.missing.empty()) return {{"missing", found.missing}};
  Json nearest = Json::array();
  for (const Neighbour& n : found.nearest) {
    Json json = {{"name", std::filesystem::path(n.name).filename().string()},
                 {"class", trained.classes.at(static_cast<std::size_t>(n.label))},
                 {"distance", n.distance}};
    if (pictures && !n.picture.rgb.empty()) json["picture"] = thumbnail_uri(n.picture);
    nearest.push_back(std::move(json));
  }
  Json json = {{"layer", found.layer},
               {"values", found.width},
               {"searched", found.searched},
               {"of", found.of},
               {"nearest", nearest}};
  if (!found.note.empty()) json["note"] = found.note;
  return json;
}

std::vector<MapSummary> strongest_maps(const SeenLayer& layer) {
  const std::vector<float> y = floats_of(layer.y);
  const std::int64_t maps = layer.y.size(1), plane = layer.y.numel() / maps;
  std::vector<MapSummary> order;
  for (std::int64_t c = 0; c < maps; ++c)
    order.push_back({c, *std::max_element(y.begin() + c * plane, y.begin() + (c + 1) * plane)});
  std::stable_sort(order.begin(), order.end(),
                   [](const MapSummary& a, const MapSummary& b) { return a.largest > b.largest; });
  return order;
}

Image map_sheet(const SeenLayer& layer, std::int64_t most) {
  const Shape shape = layer.y.shape();
  if (shape.rank() != 4)
    throw ValueError(fmt::format("look: {} has no maps: its output is a row of {} values",
                                 layer.name, layer.y.numel()));
  const std::int64_t maps = most > 0 ? std::min(most, shape[1]) : shape[1];
  const std::int64_t h = shape[2], w = shape[3], gap = 1;
  const auto columns = static_cast<std::int64_t>(std::ceil(std::sqrt(static_cast<double>(maps))));
  const std::int64_t rows = (maps + columns - 1) / columns;
  Image sheet;
  sheet.width = static_cast<int>(columns * (w + gap) - gap);
  sheet.height = static_cast<int>(rows * (h + gap) - gap);
  sheet.rgb.assign(3 * static_cast<std::size_t>(sheet.width) * sheet.height, 128);
  const std::vector<float> y = floats_of(layer.y);
  const std::vector<MapSummary> order = strongest_maps(layer);
  for (std::size_t i = 0; i < static_cast<std::size_t>(maps); ++i) {
    const float* map = y.data() + order[i].channel * h * w;
    const auto [low, high] = std::minmax_element(map, map + h * w);
    const float range = *high > *low ? *high - *low : 1;
    const auto column = static_cast<std::int64_t>(i) % columns,
               row = static_cast<std::int64_t>(i) / columns;
    for (std::int64_t r = 0; r < h; ++r)
      for (std::int64_t c = 0; c < w; ++c)
        std::memset(sheet.pixel(static_cast<int>(column * (w + gap) + c),
                                static_cast<int>(row * (h + gap) + r)),
                    static_cast<int>(std::lround(255 * (map[r * w + c] - *low) / range)), 3);
  }
  return sheet;
}

std::string look_json(const TrainedModel& trained, const Look& look, const LookTitle& title) {
  Json layers = Json::array();
  for (const SeenLayer& layer : look.layers) {
    const std::vector<float> y = floats_of(layer.y);
    Json json = {{"name", layer.name},
                 {"kind", layer.module->kind()},
                 {"shape", without_batch(layer.y.shape())},
                 {"zeros", static_cast<double>(std::count(y.begin(), y.end(), 0.0F)) /
                               static_cast<double>(y.size())},
                 {"smallest", *std::min_element(y.begin(), y.end())},
                 {"largest", *std::max_element(y.begin(), y.end())}};
    if (layer.y.shape().rank() == 4) {
      Json strongest = Json::array();
      for (const MapSummary& map : strongest_maps(layer))
        if (strongest.size() < 9) strongest.push_back(map.channel);
      json["strongest_maps"] = strongest;
    }
    layers.push_back(std::move(json));
  }
  const Why& why = look.why;
  const double side = static_cast<double>(look.input.size(3));
  const double cell = side / static_cast<double>(why.cam.width);
  const Occlusion& o = why.occlusion;
  return Json{{"photograph", title.photograph},
              {"checkpoint", title.checkpoint},
              {"model", trained.config.model},
              {"target", trained.classes.at(static_cast<std::size_t>(look.target))},
              {"top", guesses_json(trained, look, 5)},
              {"layers", layers},
              {"neighbours", neighbours_json(trained, look.neighbours, false)},
              {"side", look.input.size(3)},
              {"peaks",
               {{"saliency", peak_of(why.saliency, 0.5, 1)},
                {"grad_cam", peak_of(why.cam, cell / 2, cell)},
                {"occlusion", peak_of(o.drop, static_cast<double>(o.window) / 2,
                                      static_cast<double>(o.stride))}}},
              {"occlusion",
               {{"window", o.window},
                {"stride", o.stride},
                {"largest_drop", *std::max_element(o.drop.values.begin(), o.drop.values.end())}}}}
      .dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace limulus

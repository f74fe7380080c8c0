#include "training/report/look_compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "pages/html.h"
#include "training/report/figures.h"
#include "training/report/thumbnail.h"

namespace limulus {
namespace {

constexpr std::size_t kMaps = 9;

void check_layers(const ComparedLook& a, const ComparedLook& b) {
  const auto& x = a.look.layers;
  const auto& y = b.look.layers;
  for (std::size_t i = 0; i < std::max(x.size(), y.size()); ++i) {
    const auto text = [&](const std::vector<SeenLayer>& layers) {
      return i < layers.size() ? layers[i].name + " " + layers[i].y.shape().str()
                               : std::string("nothing");
    };
    // The last layer has a value for each class, and the two networks may have different classes.
    const bool last = i + 1 == x.size() && i + 1 == y.size();
    if (i < x.size() && i < y.size() && x[i].name == y[i].name &&
        (last || x[i].y.shape() == y[i].y.shape()))
      continue;
    throw ValueError(
        fmt::format("look --compare: layer {} is {} in {} and {} in {}: only networks of the same "
                    "layers can stand beside each other",
                    i + 1, text(x), a.name, text(y), b.name));
  }
}

std::string answer(const ComparedLook& side) {
  const std::string name = html::escape(side.name);
  return fmt::format("<div><h3>{}</h3>{}{}</div>\n", name, thumbnail(side.look.picture, name),
                     guesses(side.trained, side.look.probabilities));
}

double zeros_of(const std::vector<float>& values) {
  return static_cast<double>(std::count(values.begin(), values.end(), 0.0F)) /
         static_cast<double>(values.size());
}

// A map as grey pixels, black at `low` and white at `high`.
std::string picture_of(const float* map, std::int64_t height, std::int64_t width, float low,
                       float high, const std::string& alt) {
  html::Picture picture{static_cast<int>(width), static_cast<int>(height), 1, {}};
  const float range = high > low ? high - low : 1;
  for (std::int64_t i = 0; i < height * width; ++i)
    picture.values.push_back(static_cast<std::uint8_t>(std::lround(255 * (map[i] - low) / range)));
  return fmt::format("<img class=\"pixels\" width=\"{}\" height=\"{}\" alt=\"{}\" src=\"{}\">",
                     width, height, alt, html::png_uri(picture));
}

// The maps with the largest values on either side, both sides of each to one scale.
std::string maps_of(const SeenLayer& layer, const std::vector<float>& x,
                    const std::vector<float>& y) {
  const Shape shape = layer.y.shape();
  const std::int64_t maps = shape[1], h = shape[2], w = shape[3], plane = h * w;
  struct MapRange {
    std::int64_t map;
    float low, high, a, b;
  };
  std::vector<MapRange> ranges;
  for (std::int64_t k = 0; k < maps; ++k) {
    const auto [a0, a1] = std::minmax_element(x.begin() + k * plane, x.begin() + (k + 1) * plane);
    const auto [b0, b1] = std::minmax_element(y.begin() + k * plane, y.begin() + (k + 1) * plane);
    ranges.push_back({k, std::min(*a0, *b0), std::max(*a1, *b1), *a1, *b1});
  }
  std::stable_sort(ranges.begin(), ranges.end(),
                   [](const MapRange& a, const MapRange& b) { return a.high > b.high; });
  if (ranges.size() > kMaps) ranges.resize(kMaps);
  std::string out = "<ul class=\"compared\">\n";
  for (const MapRange& r : ranges)
    out += fmt::format("<li>{}{}<p>map {}: {:.3g} | {:.3g}</p></li>\n",
                       picture_of(x.data() + r.map * plane, h, w, r.low, r.high,
                                  fmt::format("map {} on the left", r.map)),
                       picture_of(y.data() + r.map * plane, h, w, r.low, r.high,
                                  fmt::format("map {} on the right", r.map)),
                       r.map, r.a, r.b);
  return out + "</ul>\n";
}

}  // namespace

double cosine_of(const std::vector<float>& a, const std::vector<float>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += double{a[i]} * b[i];
    aa += double{a[i]} * a[i];
    bb += double{b[i]} * b[i];
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : NAN;
}

std::string compare_page(const ComparedLook& a, const ComparedLook& b, const std::string& command) {
  check_layers(a, b);
  std::string rows, sections;
  for (std::size_t i = 0; i < a.look.layers.size(); ++i) {
    const SeenLayer& layer = a.look.layers[i];
    const std::vector<float> x = floats_of(layer.y), y = floats_of(b.look.layers[i].y);
    const std::string name = html::escape(layer.name);
    rows += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                        name, x.size() == y.size() ? html::number(cosine_of(x, y), 3) : "",
                        html::percent(zeros_of(x)), html::percent(zeros_of(y)));
    if (layer.y.shape().rank() != 4) continue;
    sections += fmt::format("<section><h2>{}: {}</h2>\n{}</section>\n", name,
                            html::escape(layer.module->kind()), maps_of(layer, x, y));
  }
  std::string body = "<div class=\"towers sides\">\n" + answer(a) + answer(b) + "</div>\n";
  body += html::paragraph(
      "The bars are probabilities: softmax of the last layer. Below stands how alike the two are "
      "in each layer: the cosine between all of its values, 1 where they are the same but for a "
      "factor, and the share of values that are 0.");
  body += html::scroll_box(
      "Layers",
      fmt::format(
          "<table class=\"numbers\"><thead><tr><th scope=\"col\">layer</th><th "
          "scope=\"col\">cosine</th><th scope=\"col\">zeros, left</th><th scope=\"col\">zeros, "
          "right</th></tr></thead>\n<tbody>\n{}</tbody></table>",
          rows));
  body += fmt::format(
      "<p class=\"note\">The maps below: of each layer the nine with the largest values, {} on the "
      "left and {} on the right. Both are drawn to one scale, black at the least value of the two "
      "and white at the largest, which stand below.</p>\n",
      html::escape(a.name), html::escape(b.name));
  return figure_page(fmt::format("{} beside {}", html::escape(a.name), html::escape(b.name)),
                     body + sections, command, "two looks side by side");
}

}  // namespace limulus

#include "browser/filters.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/printable.h"
#include "formats/safetensors.h"

namespace limulus::browser {
namespace {

constexpr std::int64_t colours = 3;

// Adds a filter that looks at the mean of the three colours through these taps.
void add(Filters& filters, const char* name, const std::vector<double>& taps) {
  filters.names.emplace_back(name);
  for (std::int64_t c = 0; c < colours; ++c)
    for (const double tap : taps) filters.weight.push_back(tap / colours);
  filters.bias.push_back(0);
}

// By hand: of pixels from 0 to 1.
Filters by_hand(std::int64_t side) {
  Filters filters;
  filters.shape = {0, colours, side, side};
  filters.mean.assign(colours, 0);
  filters.scale.assign(colours, 1.0 / 255);
  return filters;
}

Filters edges() {  // Sobel's differences, and Laplace's
  Filters f = by_hand(3);
  add(f, "upright edges", {-1, 0, 1, -2, 0, 2, -1, 0, 1});
  add(f, "flat edges", {-1, -2, -1, 0, 0, 0, 1, 2, 1});
  add(f, "rising edges", {-2, -1, 0, -1, 0, 1, 0, 1, 2});
  add(f, "falling edges", {0, 1, 2, -1, 0, 1, -2, -1, 0});
  add(f, "all directions", {-1, -1, -1, -1, 8, -1, -1, -1, -1});
  add(f, "thin upright lines", {-1, 2, -1, -1, 2, -1, -1, 2, -1});
  f.shape = {6, colours, 3, 3};
  return f;
}

Filters blur() {
  constexpr std::array<double, 5> binomial = {1, 4, 6, 4, 1};  // nearly Gauss's bell
  std::vector<double> mean(25, 1.0 / 25), bell, sharp;
  for (const double row : binomial)
    for (const double column : binomial) bell.push_back(row * column / 256);
  for (std::size_t i = 0; i < bell.size(); ++i) sharp.push_back((i == 12 ? 2.0 : 0.0) - bell[i]);
  Filters f = by_hand(5);
  add(f, "mean of 25", mean);
  add(f, "bell", bell);
  add(f, "sharper: twice the pixel, less the bell", sharp);
  f.shape = {3, colours, 5, 5};
  return f;
}

Filters trained() {
  const SafetensorsFile file("conv1.safetensors");
  const SafetensorsEntry& weight = file.at("conv1.weight");
  const std::vector<float> w = file.to_floats(weight), b = file.to_floats(file.at("conv1.bias"));
  Filters f;
  f.shape = Shape(weight.shape);
  if (f.shape.rank() != 4 || f.shape[1] != colours ||
      static_cast<std::int64_t>(b.size()) != f.shape[0])
    throw FileError(
        fmt::format("conv1.safetensors: a weight {} and {} biases are no filters of "
                    "three colours",
                    f.shape.str(), b.size()));
  f.weight.assign(w.begin(), w.end());
  f.bias.assign(b.begin(), b.end());
  for (std::int64_t k = 0; k < f.shape[0]; ++k) f.names.push_back(fmt::format("filter {}", k));
  const auto normalization = file.metadata().find("normalization");
  if (normalization == file.metadata().end())
    throw FileError("conv1.safetensors: has no \"normalization\" in its metadata");
  const auto json = nlohmann::json::parse(normalization->second);
  f.mean = json.at("mean").get<std::vector<double>>();
  f.scale = json.at("scale").get<std::vector<double>>();
  if (f.mean.size() != colours || f.scale.size() != colours)
    throw FileError("conv1.safetensors: its normalization is not of three colours");
  return f;
}

}  // namespace

Filters make_filters(const std::string& name) {
  if (name == "edges") return edges();
  if (name == "blur") return blur();
  if (name == "trained") return trained();
  throw ValueError(
      fmt::format("convolution: there are no filters \"{}\"; there are edges, blur and "
                  "trained",
                  printable(name)));
}

std::vector<double> weight_in_groups(const Filters& filters, std::int64_t groups) {
  const std::int64_t filter_count = filters.shape[0], area = filters.shape[2] * filters.shape[3];
  const std::int64_t seen = colours / groups;  // channels of a group
  std::vector<double> weight;
  for (std::int64_t k = 0; k < filter_count; ++k) {
    const std::int64_t group = k / (filter_count / groups);
    const auto first = filters.weight.begin() + (k * colours + group * seen) * area;
    weight.insert(weight.end(), first, first + seen * area);
  }
  return weight;
}

}  // namespace limulus::browser

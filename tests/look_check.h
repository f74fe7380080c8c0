#pragma once
// Networks and photographs for the tests of `limulus look`: drawn, with fixed seeds.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "backends/registry.h"
#include "models/models.h"
#include "training/recipes.h"
#include "training/trained_model.h"

inline limulus::TrainedModel drawn_model(const std::string& name, limulus::DType dtype) {
  limulus::TrainedModel t;
  t.config = limulus::default_config(name, "default");
  const limulus::ModelSpec& spec = limulus::model_spec(name);
  for (std::int64_t c = 0; c < spec.classes; ++c) t.classes.push_back("class " + std::to_string(c));
  t.normalization.mean = {128, 128, 128};
  t.normalization.scale.fill(t.config.pixel_scale);
  t.model = limulus::make_model(name, spec.classes, limulus::device("cpu"), dtype);
  limulus::initialize(*t.model, limulus::Recipe::he, 7);
  t.model->eval();
  return t;
}

// Soft colours with a bright disc: neither flat nor noise.
inline limulus::Image drawn_photograph(int width, int height) {
  limulus::Image image;
  image.width = width;
  image.height = height;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const int dx = 2 * x - width, dy = 2 * y - height;
      const bool disc = 4 * (dx * dx + dy * dy) < width * height;
      image.rgb.push_back(static_cast<std::uint8_t>(255 * x / std::max(1, width - 1)));
      image.rgb.push_back(static_cast<std::uint8_t>(disc ? 230 : 90 + (7 * x + 13 * y) % 30));
      image.rgb.push_back(static_cast<std::uint8_t>(255 * y / std::max(1, height - 1)));
    }
  return image;
}

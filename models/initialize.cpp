#include "models/initialize.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/error.h"
#include "core/names.h"
#include "core/rng.h"
#include "layers/conv2d.h"
#include "layers/init.h"
#include "layers/linear.h"

namespace limulus {
namespace {

struct Learner {  // a Conv2d or Linear
  std::string name;
  bool conv = false;
  int number = 0;  // 1, 2 ... among those of its kind
  bool last = false;
  Tensor weight, bias;
};

// In order. Layers whose names differ only in the tower they stand in ("tower0.conv2",
// "tower1.conv2") are halves of one layer and share its number.
std::vector<Learner> learners(Module& network) {
  std::vector<Learner> found;
  std::vector<std::string> seen[2];  // names within a tower, of Linear and Conv2d layers
  network.visit([&](const std::string& name, Module& m) {
    const auto* conv = dynamic_cast<const Conv2d*>(&m);
    const auto* fc = dynamic_cast<const Linear*>(&m);
    if (conv == nullptr && fc == nullptr) return;
    const bool in_tower = name.starts_with("tower");
    const std::string layer = in_tower ? name.substr(name.find('.') + 1) : name;
    auto& names = seen[conv != nullptr ? 1 : 0];
    auto at = std::find(names.begin(), names.end(), layer);
    if (at == names.end()) at = names.insert(at, layer);
    found.push_back({name, conv != nullptr, static_cast<int>(at - names.begin()) + 1, false,
                     conv != nullptr ? conv->weight : fc->weight,
                     conv != nullptr ? conv->bias : fc->bias});
  });
  for (Learner& l : found) l.last = !l.conv && l.number == static_cast<int>(seen[0].size());
  return found;
}

// The paper's section 5: conv2, conv4, conv5 and the hidden fully connected layers.
bool starts_positive(const Learner& l) {
  return l.conv ? l.number == 2 || l.number == 4 || l.number == 5 : !l.last;
}

// Of normal weights. With Recipe::filters what comes before conv2's ReLU begins at 0.2 of its size
// with He's weights, and the gradient of conv1's weights at 5 times.
double deviation_of(Recipe recipe, const Learner& l) {
  if (recipe == Recipe::paper || l.last) return 0.01;
  const double he = init::he_deviation(l.weight.shape());
  if (recipe != Recipe::filters || !l.conv || l.number > 2) return he;
  return l.number == 1 ? 0.003 : 5 * he;
}

}  // namespace

const char* name_of(Recipe recipe) {
  switch (recipe) {
    case Recipe::paper:
      return "paper";
    case Recipe::he:
      return "he";
    case Recipe::filters:
      return "filters";
    case Recipe::pytorch:
      return "pytorch";
  }
  return "?";
}

Recipe recipe_from(const std::string& name) {
  for (const Recipe r : {Recipe::paper, Recipe::he, Recipe::filters, Recipe::pytorch})
    if (name == name_of(r)) return r;
  throw ValueError(fmt::format("initialize: there is no recipe '{}'{}", name,
                               known_names(name, {"paper", "he", "filters", "pytorch"})));
}

void initialize(Module& network, Recipe recipe, std::uint64_t seed) {
  for (Learner& l : learners(network)) {
    const auto numbers_for = [&](const char* parameter) {
      return Rng(seed, stream_of("weights", stream_of(l.name + parameter)));
    };
    Rng weights = numbers_for(".weight"), biases = numbers_for(".bias");
    const std::int64_t fan_in = init::fan_in(l.weight.shape());
    if (recipe == Recipe::pytorch)
      init::pytorch_default(l.weight, fan_in, weights);
    else
      init::normal(l.weight, 0, deviation_of(recipe, l), weights);
    if (!l.bias.defined()) continue;
    if (recipe == Recipe::pytorch)
      init::pytorch_default(l.bias, fan_in, biases);
    else
      init::constant(l.bias, recipe == Recipe::paper && starts_positive(l) ? 1 : 0);
  }
}

}  // namespace limulus

#pragma once
// First values for every weight of a network.
#include <cstdint>
#include <string>

#include "layers/module.h"

namespace limulus {

enum class Recipe {
  paper,    // weights N(0, 0.01); biases 1 in conv2, conv4, conv5 and the hidden fully connected
            // layers, so that their ReLUs begin with positive inputs, 0 elsewhere (section 5)
  he,       // He normal by fan_in, biases 0; last layer N(0, 0.01), so that no class is preferred
  filters,  // as he, but conv1's weights are N(0, 0.003) and conv2's 5 times as large: conv1 starts
            // so small, and its gradient is so large, that its filters soon show what they learned
  pytorch   // uniform in +-1/sqrt(fan_in), weights and biases
};

const char* name_of(Recipe recipe);
Recipe recipe_from(const std::string& name);  // ValueError, listing the names

// Sets the Conv2d and Linear layers; others keep what they were made with. The numbers of a
// parameter are a function of (seed, its dotted name) alone: they depend neither on the backend nor
// on what else there is in the network.
void initialize(Module& network, Recipe recipe, std::uint64_t seed);

}  // namespace limulus

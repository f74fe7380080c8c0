#pragma once
// Layers that keep their weights while the others learn: the usual way to teach a trained network
// new classes from few pictures. A frozen layer has no gradient, no velocity and no weight decay:
// its parameters and running statistics stay as they are, bit for bit (Module::freeze).
#include <cstdint>
#include <string>
#include <vector>

#include "layers/module.h"

namespace limulus {

// The layers that these words mean, in the network's order, each once: "conv1,conv3" names two,
// "conv1-conv5" a range, and "features" all layers whose names begin with "features.". ValueError
// for a name that no layer with weights has, with the names that there are; for a range that ends
// before it begins; and if nothing would be left to learn.
std::vector<std::string> frozen_layers(Module& model, const std::string& words);

// "conv1,conv2,conv3": the same in one form, as it is kept in a checkpoint.
std::string frozen_text(const std::vector<std::string>& layers);

void freeze_layers(Module& model, const std::vector<std::string>& layers);

// Those that learn.
std::vector<NamedTensor> trained_parameters(const Module& model);
std::int64_t count_of(const std::vector<NamedTensor>& tensors);  // of numbers

}  // namespace limulus

#pragma once
// The settings that go with a network, by name.
#include <string>

#include "training/config.h"

namespace limulus {

// The choices that go with a network and a recipe; ValueError lists what there is. FileError for a
// network from a file that cannot be read.
TrainConfig default_config(const std::string& model, const std::string& recipe);

// Makes `model` the network of these settings: a name of models.h, or a file. Returns the shape of
// one image, [C, H, W].
Shape set_model(TrainConfig& config, const std::string& model);

}  // namespace limulus

#pragma once
// The settings that go with a network, by name.
#include <string>

#include "models/models.h"
#include "training/config.h"

namespace limulus {

// The choices that go with a network and a recipe; ValueError lists what there is. FileError for a
// network from a file that cannot be read.
TrainConfig default_config(const std::string& model, const std::string& recipe);

// Of a network of models.h that is there already, for which no file is read: all of them but
// `network`, the description of one from a file.
TrainConfig default_config(const ModelSpec& network, const std::string& recipe);

// Makes `model` the network of these settings: a name of models.h, or a file. Returns name and
// input of it.
ModelSpec set_model(TrainConfig& config, const std::string& model);

}  // namespace limulus

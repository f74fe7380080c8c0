#pragma once
// The settings that go with a network, by name.
#include <string>

#include "training/config.h"

namespace limulus {

// The choices that go with a network and a recipe; ValueError lists what there is.
TrainConfig default_config(const std::string& model, const std::string& recipe);

}  // namespace limulus

#pragma once
// What others call the layers of these networks. A file of weights has names as
// "features.0.weight": a layer's name in the program that wrote it, a dot, and what the tensor is
// for the layer. PyTorch numbers the layers of a Sequential, the paper's readers say conv1 and fc6.
#include <string>
#include <utility>
#include <vector>

namespace limulus {

// One way to name a network's layers: theirs and ours, as {"features.0", "conv1"}. A layer that is
// not listed has the same name in both.
using LayerNames = std::vector<std::pair<std::string, std::string>>;

// The ways that are known for a network of models.h. The first is empty: the network's own names.
std::vector<LayerNames> layer_names(const std::string& model);

// "conv1.weight" of "features.0.weight"; a name that `names` does not list stays as it is.
std::string own_name(const std::string& tensor, const LayerNames& names);

}  // namespace limulus

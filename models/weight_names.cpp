#include "models/weight_names.h"

namespace limulus {
namespace {

// The paper's layers in a Sequential each for convolutions and classifier: conv, ReLU, LRN, pool,
// conv, ReLU, LRN, pool, conv, ReLU, conv, ReLU, conv, ReLU, pool. Dropout stands before fc6 and
// fc7, where torchvision has it, or behind their ReLUs, where we have it.
std::vector<LayerNames> numbered_alexnet() {
  const LayerNames dropout_first = {
      {"classifier.1", "fc6"}, {"classifier.4", "fc7"}, {"classifier.6", "fc8"}};
  const LayerNames dropout_last = {
      {"classifier.0", "fc6"}, {"classifier.3", "fc7"}, {"classifier.6", "fc8"}};
  std::vector<LayerNames> all;
  for (const std::string convolutions : {"features", "net"})
    for (const LayerNames& classifier : {dropout_first, dropout_last}) {
      LayerNames names = {{convolutions + ".0", "conv1"},
                          {convolutions + ".4", "conv2"},
                          {convolutions + ".8", "conv3"},
                          {convolutions + ".10", "conv4"},
                          {convolutions + ".12", "conv5"}};
      names.insert(names.end(), classifier.begin(), classifier.end());
      all.push_back(std::move(names));
    }
  return all;
}

}  // namespace

std::vector<LayerNames> layer_names(const std::string& model) {
  std::vector<LayerNames> all = {LayerNames()};
  if (model == "alexnet" || model == "alexnet-ungrouped")
    for (LayerNames& names : numbered_alexnet()) all.push_back(std::move(names));
  if (model == "lenet5")  // PyTorch's tutorials count the matrices from 1
    all.push_back({{"fc1", "fc3"}, {"fc2", "fc4"}, {"fc3", "fc5"}});
  return all;
}

std::string own_name(const std::string& tensor, const LayerNames& names) {
  const std::size_t dot = tensor.rfind('.');
  if (dot == std::string::npos) return tensor;
  for (const auto& [theirs, ours] : names)
    if (tensor.compare(0, dot, theirs) == 0) return ours + tensor.substr(dot);
  return tensor;
}

}  // namespace limulus

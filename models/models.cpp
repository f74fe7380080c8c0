#include "models/models.h"

#include <fmt/format.h>

#include "core/error.h"
#include "core/names.h"
#include "models/alexnet.h"
#include "models/alexnet_towers.h"
#include "models/cifar_convnet.h"

namespace limulus {
const std::vector<ModelSpec>& list_models() {
  static const std::vector<ModelSpec> models = {
      {"alexnet", "AlexNet of 2012, conv2/4/5 in two groups", {3, 227, 227}, 1000, 60965224},
      {"alexnet-ungrouped", "AlexNet without groups", {3, 227, 227}, 1000, 62378344},
      {"alexnet-towers", "AlexNet in two towers on two devices", {3, 227, 227}, 1000, 60965224},
      {"alexnet-keras", "AlexNet of Keras tutorials, 17 flowers", {3, 224, 224}, 17, 46816657},
      {"alexnet-torchvision", "torchvision's AlexNet", {3, 224, 224}, 1000, 61100840},
      {"lenet5", "LeNet-5 of 1998, for MNIST", {1, 28, 28}, 10, 61706},
      {"cifar-convnet", "four layers for CIFAR-10, ReLU or tanh", {3, 32, 32}, 10, 89578},
  };
  return models;
}

const ModelSpec& model_spec(const std::string& name) {
  const auto& models = list_models();
  for (const ModelSpec& m : models)
    if (m.name == name) return m;
  std::vector<std::string> names;
  for (const ModelSpec& m : models) names.push_back(m.name);
  throw ValueError(
      fmt::format("make_model: there is no model '{}'{}", name, known_names(name, names)));
}

std::shared_ptr<Module> make_model(const std::string& name, std::int64_t classes, Backend& backend,
                                   DType dtype, const ModelOptions& o) {
  const ModelSpec& spec = model_spec(name);
  if (classes < 0)
    throw ValueError(
        fmt::format("make_model: {} classes; give 1 or more (0: {})", classes, spec.classes));
  if (classes == 0) classes = spec.classes;
  if (o.batch_norm && name != "alexnet-keras")
    throw ValueError(
        fmt::format("make_model: {} has no batch normalization; alexnet-keras can have it", name));
  if (o.second != nullptr && name != "alexnet-towers")
    throw ValueError(fmt::format(
        "make_model: {} lives on one device, and was given two; alexnet-towers takes two", name));
  if (name == "alexnet") return alexnet(classes, backend, dtype, o.dropout);
  if (name == "alexnet-ungrouped") return alexnet_ungrouped(classes, backend, dtype, o.dropout);
  if (name == "alexnet-towers")
    return std::make_shared<AlexNetTowers>(
        classes, backend, o.second != nullptr ? *o.second : backend, dtype, o.dropout);
  if (name == "alexnet-keras")
    return alexnet_keras(classes, backend, dtype, o.dropout, o.batch_norm);
  if (name == "alexnet-torchvision") return alexnet_torchvision(classes, backend, dtype, o.dropout);
  if (name == "lenet5") return lenet5(classes, backend, dtype, o.nonlinearity);
  return cifar_convnet(classes, backend, dtype, o.nonlinearity);
}

}  // namespace limulus

#include "models/models.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "core/names.h"
#include "models/alexnet.h"
#include "models/alexnet_towers.h"
#include "models/cifar_convnet.h"
#include "models/description.h"
#include "models/onnx_classifier.h"

namespace limulus {
namespace {

// A network's entry in the list and the function that makes it stand together: no name is listed
// that cannot be made.
struct Entry {
  ModelSpec spec;
  std::shared_ptr<Module> (*make)(std::int64_t classes, Backend&, DType, const ModelOptions&);
};

template <auto make_network>
std::shared_ptr<Module> with_dropout(std::int64_t classes, Backend& backend, DType dtype,
                                     const ModelOptions& o) {
  return make_network(classes, backend, dtype, o.dropout);
}

template <auto make_network>
std::shared_ptr<Module> with_nonlinearity(std::int64_t classes, Backend& backend, DType dtype,
                                          const ModelOptions& o) {
  return make_network(classes, backend, dtype, o.nonlinearity);
}

std::shared_ptr<Module> towers(std::int64_t classes, Backend& backend, DType dtype,
                               const ModelOptions& o) {
  Backend& second = o.second != nullptr ? *o.second : backend;
  return std::make_shared<AlexNetTowers>(classes, backend, second, dtype, o.dropout);
}

std::shared_ptr<Module> keras(std::int64_t classes, Backend& backend, DType dtype,
                              const ModelOptions& o) {
  return alexnet_keras(classes, backend, dtype, o.dropout, o.batch_norm);
}

const std::vector<Entry>& entries() {
  static const std::vector<Entry> all = {
      {{"alexnet", "AlexNet of 2012, conv2/4/5 in two groups", {3, 227, 227}, 1000, 60965224},
       with_dropout<alexnet>},
      {{"alexnet-ungrouped", "AlexNet without groups", {3, 227, 227}, 1000, 62378344},
       with_dropout<alexnet_ungrouped>},
      {{"alexnet-towers", "AlexNet in two towers on two devices", {3, 227, 227}, 1000, 60965224},
       towers},
      {{"alexnet-keras", "AlexNet of Keras tutorials, 17 flowers", {3, 224, 224}, 17, 46816657},
       keras},
      {{"alexnet-torchvision", "torchvision's AlexNet", {3, 224, 224}, 1000, 61100840},
       with_dropout<alexnet_torchvision>},
      {{"lenet5", "LeNet-5 of 1998, for MNIST", {1, 28, 28}, 10, 61706}, with_nonlinearity<lenet5>},
      {{"cifar-convnet", "four layers for CIFAR-10, ReLU or tanh", {3, 32, 32}, 10, 89578},
       with_nonlinearity<cifar_convnet>},
  };
  return all;
}

const Entry& entry(const std::string& name) {
  for (const Entry& e : entries())
    if (e.spec.name == name) return e;
  std::vector<std::string> names;
  for (const Entry& e : entries()) names.push_back(e.spec.name);
  throw ValueError(
      fmt::format("make_model: there is no model '{}'{}", name, known_names(name, names)));
}

}  // namespace

const std::vector<ModelSpec>& list_models() {
  static const std::vector<ModelSpec> specs = [] {
    std::vector<ModelSpec> all;
    for (const Entry& e : entries()) all.push_back(e.spec);
    return all;
  }();
  return specs;
}

const ModelSpec& model_spec(const std::string& name) { return entry(name).spec; }

namespace {

// Of two networks whose layers are the same: what has the same shape, too.
void copy_tensors(const std::vector<NamedTensor>& from, const std::vector<NamedTensor>& to) {
  const NoGrad setting_values;
  for (std::size_t i = 0; i < to.size(); ++i)
    if (Tensor target = to[i].second; target.shape() == from[i].second.shape())
      target.copy_(from[i].second);
}

ModelSpec spec_of(const std::string& name, const OnnxClassifier& file) {
  std::int64_t numbers = 0;
  for (const auto& [parameter, t] : file.network->parameters()) numbers += t.numel();
  return {name_of_model(name), "from a file", file.input, file.output[0], numbers};
}

std::shared_ptr<Module> network_of(const OnnxClassifier& file, std::int64_t classes,
                                   Backend& backend, DType dtype) {
  if (classes == 0 || classes == file.output[0]) return file.network;
  auto other = network_from(describe(*file.network, file.input), classes, backend, dtype).network;
  initialize(*other, Recipe::he, 1);
  copy_tensors(file.network->parameters(), other->parameters());
  copy_tensors(file.network->buffers(), other->buffers());
  return other;
}

}  // namespace

bool is_model_file(const std::string& name) { return name.ends_with(".onnx"); }

std::string name_of_model(const std::string& name) {
  return is_model_file(name) ? std::filesystem::path(name).filename().string() : name;
}

ModelSpec model_spec(const std::string& name, Backend& host) {
  if (!is_model_file(name)) return model_spec(name);
  return spec_of(name, read_onnx_classifier(name, host));
}

OpenedModel open_model(const std::string& name, std::int64_t classes, Backend& backend, DType dtype,
                       const ModelOptions& o) {
  const Entry* named = is_model_file(name) ? nullptr : &entry(name);
  if (classes < 0)
    throw ValueError(fmt::format("make_model: {} classes; give 1 or more (0: {})", classes,
                                 named ? named->spec.classes : 0));
  if (classes == 0 && named) classes = named->spec.classes;
  if (o.batch_norm && name != "alexnet-keras")
    throw ValueError(
        fmt::format("make_model: {} has no batch normalization; alexnet-keras can have it", name));
  if (o.second != nullptr && name != "alexnet-towers")
    throw DeviceError(fmt::format(
        "make_model: {} lives on one device, and was given two; alexnet-towers takes two", name));
  if (named) return {named->spec, named->make(classes, backend, dtype, o), {}};
  const OnnxClassifier file = read_onnx_classifier(name, backend, dtype);
  return {spec_of(name, file), network_of(file, classes, backend, dtype), file.notes};
}

std::shared_ptr<Module> make_model(const std::string& name, std::int64_t classes, Backend& backend,
                                   DType dtype, const ModelOptions& options) {
  return open_model(name, classes, backend, dtype, options).model;
}

}  // namespace limulus

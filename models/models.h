#pragma once
// The networks by name: what the command line, the trainer and the examples choose from.
#include <memory>
#include <string>
#include <vector>

#include "layers/module.h"
#include "models/initialize.h"
#include "models/lenet5.h"

namespace limulus {

struct ModelSpec {
  std::string name;             // "alexnet-keras"
  std::string summary;          // one line for people
  Shape input;                  // of one image: [3, 227, 227]
  std::int64_t classes = 0;     // by default
  std::int64_t parameters = 0;  // with that number of classes and no options
};

struct ModelOptions {
  double dropout = 0.5;                            // AlexNets
  bool batch_norm = false;                         // alexnet-keras
  Nonlinearity nonlinearity = Nonlinearity::relu;  // lenet5, cifar-convnet
  Backend* second = nullptr;                       // alexnet-towers: default, the first device
};

const std::vector<ModelSpec>& list_models();
// ValueError for an unknown name, with the nearest one and the list.
const ModelSpec& model_spec(const std::string& name);
// classes 0: the model's default. All weights are zero: initialize() or load a checkpoint.
std::shared_ptr<Module> make_model(const std::string& name, std::int64_t classes, Backend& backend,
                                   DType dtype = DType::f32, const ModelOptions& options = {});

}  // namespace limulus

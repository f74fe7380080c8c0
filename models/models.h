#pragma once
// The networks by name: what the command line, the trainer and the examples choose from. A name
// that ends in .onnx is that of a file, with somebody's own network (models/onnx_classifier.h).
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
// The same, and of files too, which are read on this backend. FileError for a file that cannot be
// read as a classifier of pictures.
ModelSpec model_spec(const std::string& name, Backend& host);
// classes 0: the model's default. All weights are zero: initialize() or load a checkpoint. A
// network from a file has the weights of the file, and dropout as it is there; only where `classes`
// differs from its own number is its last layer drawn.
std::shared_ptr<Module> make_model(const std::string& name, std::int64_t classes, Backend& backend,
                                   DType dtype = DType::f32, const ModelOptions& options = {});

// Both of a name, for which a file is read once.
struct OpenedModel {
  ModelSpec spec;
  std::shared_ptr<Module> model;
  std::vector<std::string> notes;  // what is otherwise here than in the file, in sentences
};
OpenedModel open_model(const std::string& name, std::int64_t classes, Backend& backend,
                       DType dtype = DType::f32, const ModelOptions& options = {});

// "nets/net.onnx": a network that is a file, with weights.
bool is_model_file(const std::string& name);
// What to call it where the folder does not matter: "net.onnx". Other names stay as they are.
std::string name_of_model(const std::string& name);

}  // namespace limulus

#pragma once
// Weights from a file of any kind that is understood, under the names of a network of ours.
//
//     a checkpoint of limulus train      its parameters and buffers, with its classes and the
//                                        normalization of its input
//     safetensors                        every tensor, as PyTorch's users exchange weights
//     .onnx                              the weights of a network (models/onnx_classifier.h)
//
// Names that torch.nn.DataParallel ("module.") and torch.compile ("_orig_mod.") put before all
// others are taken off, and the layers' names are translated (models/weight_names.h). Another
// format is one more branch of open_weights().
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/shape.h"
#include "layers/module.h"
#include "training/data/augment.h"

namespace limulus {

struct StoredTensor {
  std::string name;   // in our network: "conv1.weight"
  std::string named;  // in the file: "module.features.0.weight"
  std::string dtype;  // in the file: "F16"
  Shape shape;
  // The elements as floats. FileError if one is not finite, does not fit into a float, or if they
  // are no floating-point numbers.
  std::function<std::vector<float>()> values;
};

struct WeightsFile {
  std::filesystem::path path;
  std::string kind;  // "a checkpoint of alexnet", "safetensors", "ONNX"
  std::vector<StoredTensor> tensors;
  std::vector<std::string> ignored;  // what Limulus has no use for: PyTorch's num_batches_tracked
  std::vector<std::string> notes;    // what is otherwise here than in the file, in sentences
  // Of a checkpoint, and of an ONNX file that was made from one.
  std::optional<std::vector<std::string>> classes;
  std::optional<Normalization> normalization;

  const StoredTensor* find(const std::string& name) const;  // null where there is none
};

// Opens weights for `model`, a network made by the name `model_name`. FileError if the file is of
// another kind, with the way to convert it where there is one; if two of its tensors come to have
// one name; and what SafetensorsFile throws.
WeightsFile open_weights(const std::filesystem::path& path, const std::string& model_name,
                         const Module& model);

// "F16 widened to f32 (exact): 16 tensors", for each type that is not f32; empty where all are.
// `tensors`: those that are used.
std::vector<std::string> conversions(const std::vector<StoredTensor>& tensors);

}  // namespace limulus

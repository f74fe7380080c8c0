#pragma once
// A run that does not begin with random weights, but with those of a network that has learned.
//
// A layer is taken whole: only if the file has all of its tensors, in the shapes that it has here.
// The others keep the weights that they were drawn with. So a head for other classes starts anew,
// and what is below it has learned already.
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "layers/module.h"
#include "training/data/augment.h"

namespace limulus {

struct InitialWeights {
  struct Anew {
    std::string layer, reason;
  };
  std::filesystem::path file;
  std::string kind;                // "a checkpoint of alexnet"
  std::vector<std::string> taken;  // layers, in the network's order
  std::int64_t numbers = 0;        // that were taken
  std::vector<Anew> anew;
  std::vector<std::string> unused;       // tensors of the file that have no place in the network
  std::vector<std::string> conversions;  // of what was taken
  std::vector<std::string> notes;        // what is otherwise here than in the file, in sentences
  // Of a checkpoint whose first layer was taken: what its pixels were less, and multiplied by.
  std::optional<Normalization> normalization;

  std::string text() const;  // for people, some lines
};

// Copies from `path` into `model` what fits. The head, the last layer, also starts anew where the
// file says that it tells other classes apart. FileError, and nothing is changed, if nothing fits,
// or a value is not finite; and what open_weights() throws.
InitialWeights start_from(const std::filesystem::path& path, const std::string& model_name,
                          Module& model, const std::vector<std::string>& classes);

}  // namespace limulus

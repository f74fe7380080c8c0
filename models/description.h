#pragma once
// A network as text, so that a file can hold one that has no name in models.h:
//
//     {"input": [3, 32, 32], "layers": [
//        {"name": "conv1", "kind": "Conv2d", "in": 3, "out": 32, "kernel": [5, 5], ...},
//        {"name": "relu1", "kind": "ReLU"}, ...]}
//
// It has the layers and their sizes, and no weights. Checkpoints of such a network keep it.
#include <memory>
#include <string>

#include "layers/module.h"

namespace limulus {

struct DescribedNetwork {
  std::shared_ptr<Sequential> network;  // weights are zero
  Shape input;                          // of one image: [C, H, W]
};

// ValueError for a layer that has no description: one of a program's own.
std::string describe(const Sequential& network, const Shape& input);

// The network again. With `classes`, its last layer has so many outputs, whatever is described.
// ValueError where the text is no description, where the last layer cannot have them, or where the
// layers would have more than `most` parameters: before memory for them is asked for.
DescribedNetwork network_from(const std::string& description, std::int64_t classes,
                              Backend& backend, DType dtype = DType::f32,
                              std::int64_t most = std::int64_t{1} << 40);

// The same description with this probability in every Dropout.
std::string with_dropout(const std::string& description, double p);

}  // namespace limulus

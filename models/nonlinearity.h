#pragma once
// What stands between two layers of the small networks (layers/activation.h), so that one network
// can be built with each of them and raced.
#include <string>

#include "layers/module.h"

namespace limulus {

enum class Nonlinearity { relu, tanh, sigmoid };

const char* name_of(Nonlinearity kind);  // "relu", "tanh", "sigmoid"

// Appends a layer of that kind, named by it and `number`: "tanh1".
void add_nonlinearity(Sequential& net, Nonlinearity kind, const std::string& number);

}  // namespace limulus

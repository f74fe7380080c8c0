#include "models/nonlinearity.h"

#include "layers/activation.h"

namespace limulus {

const char* name_of(Nonlinearity kind) {
  switch (kind) {
    case Nonlinearity::relu:
      return "relu";
    case Nonlinearity::tanh:
      return "tanh";
    case Nonlinearity::sigmoid:
      return "sigmoid";
  }
  return "?";
}

void add_nonlinearity(Sequential& net, Nonlinearity kind, const std::string& number) {
  const std::string name = name_of(kind) + number;
  if (kind == Nonlinearity::relu)
    net.add<ReLU>(name);
  else if (kind == Nonlinearity::tanh)
    net.add<Tanh>(name);
  else
    net.add<Sigmoid>(name);
}

}  // namespace limulus

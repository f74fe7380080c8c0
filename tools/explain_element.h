#pragma once
// One element of one layer, as arithmetic with real numbers: what `limulus explain --element` and
// `--backward` print.
// explain_element.cpp makes the network and the image, runs them and prints; the arithmetic is
// layers/explain.h.
#include <cstdint>
#include <string>

#include "layers/explain.h"

namespace limulus::tools {

using namespace explain;  // Explanation, LayerRun ...

struct ElementArguments {
  std::string model = "alexnet", layer, element;  // element: "5,10,10"
  std::string checkpoint, image;                  // or seed, and noise
  std::string of = "input";                       // with backward: input, weight, bias
  std::uint64_t seed = 1;
  std::int64_t size = 0, classes = 0, label = 0, terms = 8;
  bool backward = false, json = false;
};
void explain_element(const ElementArguments& a);

}  // namespace limulus::tools

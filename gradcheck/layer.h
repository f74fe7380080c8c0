#pragma once
// The gradient check of a whole module: of its input and of every parameter, under their names.
//
//   MyLayer layer(...);                                 // with parameters of type f64
//   GradcheckReport report = gradcheck(layer, x);
//   std::cout << report.text();
//
// The module runs in the mode it is in. Its random numbers get the same seed before each pass, so
// that dropout drops the same values every time.
#include "gradcheck/gradcheck.h"
#include "layers/module.h"

namespace limulus {

GradcheckReport gradcheck(Module& module, const Tensor& x, const GradcheckOptions& options = {});

}  // namespace limulus

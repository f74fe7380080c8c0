#pragma once
// What the parts that use a trained network share.
#include "python/photograph.h"
#include "training/trained_model.h"

namespace limulus::python {

void bind_look(nb::module_& m);

}  // namespace limulus::python

#pragma once
// An operation whose derivative is written in Python.
#include <memory>
#include <vector>

#include "core/autograd.h"
#include "python/bindings.h"

namespace limulus::python {

// Notes on y, a new tensor, that it was made out of `inputs`; backward(dy) is called with a tensor
// and gives a sequence with a tensor or None for each input.
Tensor record_python(const Tensor& y, const std::vector<Tensor>& inputs, nb::callable backward);

}  // namespace limulus::python

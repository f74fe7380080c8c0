// limulus._core: the parts of the library that Python sees, in the order of their dependence.
// limulus/__init__.py gives them their names.
#include "python/bindings.h"

NB_MODULE(_core, m) {
  namespace py = limulus::python;
  py::work();  // its place around a fork is before that of any device
  m.doc() = "The C++ library of Limulus.";
  m.attr("__version__") = LIMULUS_VERSION;
  // What a program still holds when it ends is no mistake, and this library prints nothing.
  nanobind::set_leak_warnings(false);
  py::bind_errors(m);
  py::bind_tensor(m);
  py::bind_no_grad(m);
  py::bind_arrays(m);
  py::bind_operations(m);
  py::bind_layer_functions(m);
  py::bind_walk(m);
  py::bind_layers(m);
  py::bind_models(m);
  py::bind_checkpoints(m);
  py::bind_look(m);
  py::bind_data(m);
  py::bind_training(m);
  py::bind_explain(m);
  py::bind_gradcheck(m);
  py::bind_cases(m);
  py::bind_trace(m);
}

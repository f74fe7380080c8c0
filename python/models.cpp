// Networks by name (models/models.h), and the optimizer (training/sgd.h).
#include "models/models.h"

#include <nanobind/stl/shared_ptr.h>

#include "backends/registry.h"
#include "core/error.h"
#include "python/bindings.h"
#include "training/sgd.h"

namespace limulus::python {
namespace {

Nonlinearity nonlinearity_from(const std::string& name) {
  for (const Nonlinearity n : {Nonlinearity::relu, Nonlinearity::tanh, Nonlinearity::sigmoid})
    if (name == limulus::name_of(n)) return n;
  throw ValueError("make: nonlinearity is \"relu\", \"tanh\" or \"sigmoid\", not \"" + name + "\"");
}

std::shared_ptr<Module> make(const std::string& name, std::int64_t classes, double dropout,
                             bool batch_norm, const std::string& nonlinearity, nb::handle dtype,
                             const std::string& on) {
  const DType type = dtype_from(dtype);
  const Computing computing;
  const std::vector<Backend*> places = devices(on);
  const ModelOptions options = {dropout, batch_norm, nonlinearity_from(nonlinearity),
                                places.size() > 1 ? places[1] : nullptr};
  return make_model(name, classes, *places[0], type, options);
}

SgdRule rule_from(const std::string& name) {
  if (name == "paper") return SgdRule::paper;
  if (name == "pytorch") return SgdRule::pytorch;
  throw ValueError("SGD: rule is \"paper\" or \"pytorch\", not \"" + name + "\"");
}

void bind_sgd(nb::module_& m) {
  nb::class_<Sgd>(m, "SGD",
                  "Stochastic gradient descent with momentum and weight decay.\n\n"
                  "rule=\"paper\":   v <- m v - d lr w - lr g;   w <- w + v\n"
                  "rule=\"pytorch\": v <- m v + (g + d w);       w <- w - lr v")
      .def(
          "__init__",
          [](Sgd* self, const nb::dict& parameters, double lr, double momentum, double weight_decay,
             const std::string& rule) {
            std::vector<NamedTensor> all;
            for (const auto& [key, value] : parameters) {
              NamedTensor one;
              if (!nb::try_cast(key, one.first) || !nb::try_cast(value, one.second))
                throw nb::type_error(
                    "SGD: parameters are a dict of names and tensors, as "
                    "module.parameters() gives them");
              all.push_back(std::move(one));
            }
            const SgdOptions options = {lr, momentum, weight_decay, rule_from(rule)};
            const Computing computing;
            new (self) Sgd(std::move(all), options);
          },
          "parameters"_a.sig("..."), "lr"_a = 0.01, "momentum"_a = 0.9, "weight_decay"_a = 0.0005,
          "rule"_a = "paper",
          nb::sig("def __init__(self, parameters: dict[str, Tensor], lr: float = "
                  "0.01, momentum: float = 0.9, weight_decay: float = 0.0005, "
                  "rule: str = 'paper') -> None"))
      .def("step", &Sgd::step, nb::call_guard<Computing>(),
           "One step on every parameter that has a gradient, in place.")
      .def("zero_grad", &Sgd::zero_grad, nb::call_guard<Computing>(), "Forgets all gradients.")
      .def_prop_rw(
          "lr", [](const Sgd& s) { return s.options().lr; },
          [](Sgd& s, double lr) { s.set_lr(lr); }, "The learning rate.");
}

}  // namespace

void bind_models(nb::module_& m) {
  nb::class_<ModelSpec>(m, "ModelSpec", "A network that models.make() knows.")
      .def_ro("name", &ModelSpec::name)
      .def_ro("summary", &ModelSpec::summary)
      .def_prop_ro(
          "input", [](const ModelSpec& s) { return tuple_of(s.input); },
          nb::sig("def input(self) -> tuple[int, ...]"), "Of one image: (3, 227, 227).")
      .def_ro("classes", &ModelSpec::classes)
      .def_ro("parameters", &ModelSpec::parameters)
      .def("__repr__", [](const ModelSpec& s) { return s.name + ": " + s.summary; });
  m.def("_list_models", &list_models);
  m.def("_make_model", &make, "name"_a, "classes"_a, "dropout"_a, "batch_norm"_a, "nonlinearity"_a,
        "dtype"_a, "device"_a);
  bind_sgd(m);
}

}  // namespace limulus::python

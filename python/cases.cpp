// limulus.cases(): the table of cases and random ones (gradcheck/cases), for checks in Python.
#include "backends/registry.h"
#include "core/error.h"
#include "gradcheck/cases/op_cases.h"
#include "gradcheck/cases/random_cases.h"
#include "python/bindings.h"

namespace limulus::python {
namespace {

struct Case {
  OpCase c;
  std::string settings;  // of a random case, as JSON
};

std::vector<Case> table(bool large) {
  std::vector<Case> all;
  for (const OpCase& c : op_cases())
    if (large || !c.large) all.push_back({c, ""});
  return all;
}

std::vector<Case> random_ones(std::int64_t count, std::uint64_t seed) {
  if (count < 0) throw ValueError("random_cases: " + std::to_string(count) + " cases");
  std::vector<Case> all;
  for (std::int64_t i = 0; i < count; ++i) {
    RandomCase r = random_case(seed, i);
    all.push_back({std::move(r.c), std::move(r.settings)});
  }
  return all;
}

Tensor value_of(const Case& c, const std::vector<Tensor>& inputs) {
  if (inputs.size() != c.c.inputs.size())
    throw ValueError(c.c.name + ": takes " + std::to_string(c.c.inputs.size()) + " tensors, not " +
                     std::to_string(inputs.size()));
  return c.c.f(inputs);
}

}  // namespace

void bind_cases(nb::module_& m) {
  nb::class_<Case>(m, "Case", "A function with inputs of definite shapes, from the table of cases.")
      .def_prop_ro(
          "op", [](const Case& c) { return c.c.op; }, "\"conv2d\".")
      .def_prop_ro(
          "name", [](const Case& c) { return c.c.name; },
          "\"conv2d x[2, 3, 7, 5] w[4, 3, 3, 3] stride 2\".")
      .def_prop_ro(
          "large", [](const Case& c) { return c.c.large; },
          "Too much work for differences, entry by entry.")
      .def_ro("settings", &Case::settings, "Of a random case: its settings as JSON.")
      .def_prop_ro(
          "input_names",
          [](const Case& c) {
            std::vector<std::string> names;
            for (const CaseInput& in : c.c.inputs) names.push_back(in.name);
            return names;
          },
          "The names of its inputs.")
      .def(
          "inputs",
          [](const Case& c, nb::handle dtype, const std::string& on) {
            const DType type = dtype_from(dtype);
            const Computing computing;
            return make_inputs(c.c, type, device(on));
          },
          "dtype"_a = "f64", "device"_a = "cpu", "Its inputs: the same values every time.")
      .def(
          "__call__",
          [](const Case& c, const nb::args& inputs) {
            std::vector<Tensor> all;
            if (!nb::try_cast(inputs, all)) throw nb::type_error("a case is called with tensors");
            const Computing computing;
            return value_of(c, all);
          },
          nb::sig("def __call__(self, *inputs: Tensor) -> Tensor"), "The function's result.")
      .def(
          "run",
          [](const Case& c, nb::handle dtype, const std::string& on) {
            const DType type = dtype_from(dtype);
            CaseResult r;
            {
              const Computing computing;
              r = run_case(c.c, type, device(on));
            }
            nb::dict all;
            for (std::size_t i = 0; i < r.names.size(); ++i) all[r.names[i].c_str()] = r.values[i];
            return all;
          },
          "dtype"_a = "f64", "device"_a = "cpu",
          nb::sig("def run(self, dtype: object = 'f64', device: str = 'cpu') -> dict[str, Tensor]"),
          "Forward and backward in C++: \"y\", then \"dx\" for each input x.")
      .def("__repr__", [](const Case& c) { return c.c.name; });
  m.def("cases", &table, "large"_a = false,
        "The table of cases: every operation with sizes that cross its special cases. With "
        "large=True also those that are too much work for differences.");
  m.def("random_cases", &random_ones, "count"_a, "seed"_a = 1,
        "Random configurations of every layer; the same for the same two numbers.");
}

}  // namespace limulus::python

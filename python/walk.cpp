#include "python/walk.h"

#include <fmt/format.h>

#include "core/amounts.h"
#include "layers/walk.h"
#include "pages/html.h"

namespace limulus::python {
namespace {

// A table for a notebook, which brings its own style for tables.
std::string table_of(const Walk& walk) {
  std::string rows;
  const auto cell = [](const std::string& text, bool number) {
    return fmt::format("<td style=\"text-align:{}\">{}</td>", number ? "right" : "left",
                       html::escape(text));
  };
  const auto count = [](std::int64_t n) { return n == 0 ? "" : with_thousands(n); };
  for (const WalkStep& s : walk.steps)
    rows += "<tr>" + cell(s.name, false) + cell(s.detail, false) + cell(s.formula, false) +
            cell(image_size(s.out), false) + cell(count(s.parameters), true) +
            cell(count(s.multiply_adds), true) + cell(in_bytes(s.memory), true) + "</tr>\n";
  const WalkTotals sum = totals(walk.steps);
  rows += "<tr style=\"font-weight:bold\">" + cell("total", false) + cell("", false) +
          cell("", false) + cell("", false) + cell(with_thousands(sum.parameters), true) +
          cell(with_thousands(sum.multiply_adds), true) + cell(in_bytes(sum.memory), true) +
          "</tr>\n";
  return "<table><thead><tr><th>layer</th><th>what</th><th>output size</th><th>shape</th>"
         "<th>parameters</th><th>multiply-adds</th><th>memory</th></tr></thead>\n<tbody>" +
         rows + "</tbody></table>";
}

void bind_step(nb::module_& m) {
  nb::class_<WalkStep>(m, "WalkStep", "One layer's arithmetic.")
      .def_ro("name", &WalkStep::name, "As in the network: \"conv1\".")
      .def_ro("kind", &WalkStep::kind, "\"Conv2d\".")
      .def_ro("formula", &WalkStep::formula, "\"floor((227 - 11 + 2*0)/4) + 1 = 55\".")
      .def_ro("detail", &WalkStep::detail, "\"96 filters of 3x11x11, stride 4\".")
      .def_prop_ro(
          "input", [](const WalkStep& s) { return tuple_of(s.in); },
          nb::sig("def input(self) -> tuple[int, ...]"), "With the batch.")
      .def_prop_ro(
          "output", [](const WalkStep& s) { return tuple_of(s.out); },
          nb::sig("def output(self) -> tuple[int, ...]"), "With the batch.")
      .def_ro("parameters", &WalkStep::parameters, "Learned numbers.")
      .def_ro("connections", &WalkStep::connections, "Weights times the places of each, per image.")
      .def_ro("multiply_adds", &WalkStep::multiply_adds, "Of one image, forward.")
      .def_ro("memory", &WalkStep::memory, "Bytes of the output in f32, for the batch.");
}

}  // namespace

Walk walk_of(const Module& module, const Sizes& input) {
  const Computing computing;
  return {module.walk(shape_from(input))};
}

void bind_walk(nb::module_& m) {
  bind_step(m);
  nb::class_<Walk>(m, "Walk",
                   "A network's sizes, layer by layer. print() shows a table, and so does "
                   "a notebook.")
      .def_ro("steps", &Walk::steps, "One WalkStep for each layer.")
      .def_prop_ro(
          "parameters", [](const Walk& w) { return totals(w.steps).parameters; },
          "Learned numbers of all layers.")
      .def_prop_ro(
          "multiply_adds", [](const Walk& w) { return totals(w.steps).multiply_adds; },
          "Of one image, forward.")
      .def(
          "text", [](const Walk& w) { return walk_text(w.steps); }, "A table for a terminal.")
      .def(
          "markdown", [](const Walk& w) { return walk_markdown(w.steps); }, "A table in Markdown.")
      .def(
          "json", [](const Walk& w) { return walk_json(w.steps); }, "As JSON text.")
      .def("__len__", [](const Walk& w) { return w.steps.size(); })
      .def("__getitem__",
           [](const Walk& w, const std::string& layer) {
             for (const WalkStep& s : w.steps)
               if (s.name == layer) return s;
             throw nb::key_error(layer.c_str());
           })
      .def("__repr__", [](const Walk& w) { return walk_text(w.steps); })
      .def("_repr_html_", &table_of);
}

}  // namespace limulus::python

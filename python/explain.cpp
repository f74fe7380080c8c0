// One number of a network as its arithmetic (layers/explain.h): limulus explain --element.
#include "layers/explain.h"

#include "core/error.h"
#include "python/bindings.h"

namespace limulus::python {
namespace {

using explain::Explanation;

Explanation explain_layer(Module& network, const Tensor& x, const std::string& layer,
                          const Sizes& index, const std::optional<std::string>& gradient_of,
                          std::int64_t label) {
  const auto* one = std::get_if<std::int64_t>(&index);
  const Computing computing;
  return explain::explain_in_network(
      network, x,
      {.layer = layer,
       .index = one ? explain::Index{*one} : std::get<std::vector<std::int64_t>>(index),
       .backward = gradient_of.has_value(),
       .of = gradient_of.value_or(""),
       .label = label});
}

}  // namespace

void bind_explain(nb::module_& m) {
  nb::class_<Explanation>(m, "Explanation",
                          "One number of a network as its arithmetic. print() shows it.")
      .def_ro("element", &Explanation::element, "Which one: \"y[5, 10, 10]\".")
      .def_ro("formula", &Explanation::formula, "With the layer's sizes put in.")
      .def_ro("notes", &Explanation::notes, "Which part of the input is looked at.")
      .def_prop_ro(
          "terms",
          [](const Explanation& e) {
            nb::list all;
            for (const explain::Term& t : e.terms) all.append(nb::make_tuple(t.what, t.value));
            return all;
          },
          nb::sig("def terms(self) -> list[tuple[str, float]]"),
          "Of the sum, or of the maximum: what each is made of, and its value.")
      .def_ro("then", &Explanation::then, "What is done with the sum, line by line.")
      .def_ro("value", &Explanation::value, "The number, from the terms.")
      .def_ro("kernel", &Explanation::tensor, "The same, as the layer's kernel computed it.")
      .def(
          "text", [](const Explanation& e, std::int64_t terms) { return text_of(e, terms); },
          "terms"_a = 8, "As limulus explain prints it, with so many terms.")
      .def("__repr__", [](const Explanation& e) { return text_of(e, 8); });
  m.def("explain", &explain_layer, "network"_a, "x"_a, "layer"_a, "index"_a,
        "gradient_of"_a = nb::none(), "label"_a = 0,
        nb::sig("def explain(network: Module, x: Tensor, layer: str, index: int | Sequence[int], "
                "gradient_of: str | None = None, label: int = 0) -> Explanation"),
        "An element of a layer's output for one image, [1, C, H, W], number by number. With "
        "gradient_of (\"input\", \"weight\" or \"bias\") an element of that gradient, of the loss "
        "with the right class `label`. The last layer is followed by \"softmax\". ValueError for a "
        "network in training mode; a network in f64 agrees with its kernels to 15 digits.");
}

}  // namespace limulus::python

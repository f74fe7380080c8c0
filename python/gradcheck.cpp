// limulus.gradcheck(): the laboratory of gradcheck/ for functions that are written in Python.
// limulus/_gradcheck.py turns what it is given (NumPy pairs, PyTorch's functions) into functions of
// tensors first.
#include "gradcheck/gradcheck.h"

#include <nanobind/stl/array.h>

#include <fmt/format.h>

#include "core/error.h"
#include "gradcheck/layer.h"
#include "gradcheck/map.h"
#include "gradcheck/page.h"
#include "python/python_op.h"

namespace limulus::python {
namespace {

GradcheckOptions options_from(double tolerance, double step, std::int64_t max_entries,
                              std::uint64_t seed, bool curves) {
  if (!(tolerance > 0) || !(step > 0))
    throw ValueError(fmt::format(
        "gradcheck: tolerance and step are positive numbers, not {} and {}", tolerance, step));
  if (max_entries < 1)
    throw ValueError(
        fmt::format("gradcheck: {} entries of a tensor; compare 1 or more", max_entries));
  GradcheckOptions o;
  o.tolerance = tolerance;
  o.step = step;
  o.max_entries = max_entries;
  o.seed = seed;
  o.curves = curves;
  return o;
}

GradcheckReport check_function(nb::handle f, const std::vector<std::pair<std::string, Tensor>>& in,
                               const GradcheckOptions& options) {
  const Computing computing;
  return gradcheck(
      [f](const std::vector<Tensor>& inputs) {
        const Calling calling;
        nb::list arguments;
        for (const Tensor& t : inputs) arguments.append(t);
        const nb::object y = f(*arguments);
        Tensor result;
        if (!nb::try_cast(y, result))
          throw nb::type_error(
              fmt::format("gradcheck: the function returned {}, not a limulus.Tensor",
                          nb::repr(y.type()).c_str())
                  .c_str());
        return result;
      },
      in, options);
}

// A page as what a cell shows: without its title, its counts and the name of its only case, so that
// the map of the errors is in sight, on a phone too.
std::string as_output(std::string page) {
  for (const auto& [first, last] :
       {std::pair{"<p class=\"kicker\">", "</h1>\n"}, std::pair{"<dl class=\"facts\">", "</dl>\n"},
        std::pair{"<h3>", "</p>\n"}}) {
    const std::size_t from = page.find(first), to = page.find(last, from);
    if (to != std::string::npos) page.erase(from, to + std::string_view(last).size() - from);
  }
  return page;
}

std::string page_of(const GradcheckReport& r, const std::string& name) {
  CheckedRun run;
  run.title = "Gradients of " + name;
  run.machine = "Python";
  run.cases.push_back({name, name, "Python", r});
  return gradcheck_page(run);
}

void bind_parts(nb::module_& m) {
  nb::class_<GradcheckEntry>(m, "GradcheckEntry", "One entry of a gradient.")
      .def_prop_ro(
          "index", [](const GradcheckEntry& e) { return tuple_of(e.index); },
          nb::sig("def index(self) -> tuple[int, ...]"))
      .def_ro("analytic", &GradcheckEntry::analytic, "What backward gave.")
      .def_ro("numeric", &GradcheckEntry::numeric, "What differences gave.")
      .def_ro("uncertainty", &GradcheckEntry::uncertainty, "How far that may be off.")
      .def_ro("relative_error", &GradcheckEntry::relative_error)
      .def_ro("wrong", &GradcheckEntry::wrong);
  nb::class_<GradcheckMap>(m, "GradcheckMap", "Where in a tensor the errors are.")
      .def_ro("row_axis", &GradcheckMap::row_axis, "-1: there is one row only.")
      .def_ro("column_axis", &GradcheckMap::column_axis)
      .def_ro("rows", &GradcheckMap::rows)
      .def_ro("columns", &GradcheckMap::columns)
      .def_ro("error", &GradcheckMap::error, "[rows * columns]; NaN where nothing was compared.")
      .def("__repr__", &map_text);
  nb::class_<GradcheckTensor>(m, "GradcheckTensor", "What was found of one input's gradient.")
      .def_ro("name", &GradcheckTensor::name)
      .def_prop_ro(
          "shape", [](const GradcheckTensor& t) { return tuple_of(t.shape); },
          nb::sig("def shape(self) -> tuple[int, ...]"))
      .def_prop_ro(
          "verdict", [](const GradcheckTensor& t) { return limulus::name_of(t.verdict); },
          "\"OK\", \"VACUOUS\", \"NONDETERMINISTIC\" or \"WRONG\".")
      .def_ro("compared", &GradcheckTensor::compared)
      .def_ro("skipped", &GradcheckTensor::skipped, "Where there is no derivative.")
      .def_ro("wrong", &GradcheckTensor::wrong)
      .def_ro("worst", &GradcheckTensor::worst, "The entries with the largest errors.")
      .def_ro("maps", &GradcheckTensor::maps)
      .def_ro("mistake", &GradcheckTensor::mistake, "Which known mistake fits, in a word or two.")
      .def_ro("diagnosis", &GradcheckTensor::diagnosis, "The same in a sentence.");
}

}  // namespace

void bind_gradcheck(nb::module_& m) {
  bind_parts(m);
  nb::class_<GradcheckReport>(
      m, "GradcheckReport", nb::dynamic_attr(),
      "What a gradient check found. print() shows it; a notebook shows where "
      "the errors are, too.")
      .def_ro("tensors", &GradcheckReport::tensors, "One GradcheckTensor for each input of f64.")
      .def_ro("mistake", &GradcheckReport::mistake, "What all inputs have in common, or \"\".")
      .def_ro("diagnosis", &GradcheckReport::diagnosis, "The same in a sentence.")
      .def_prop_ro("ok", &GradcheckReport::ok, "Whether the gradient is right, and was checked.")
      .def_prop_ro(
          "verdict", [](const GradcheckReport& r) { return limulus::name_of(r.verdict()); },
          "The worst of all tensors.")
      .def("text", &GradcheckReport::text, "The report as a table.")
      .def("json", &GradcheckReport::json, "The report as JSON text.")
      .def("html", &page_of, "name"_a = "a function", "The report as a page, with pictures.")
      .def(
          "assert_ok",
          [](const GradcheckReport& r) {
            if (r.ok()) return;
            PyErr_SetString(PyExc_AssertionError, r.text().c_str());
            throw nb::python_error();
          },
          "AssertionError with the whole report unless the gradient is right: for a test.")
      .def("__bool__", &GradcheckReport::ok)
      .def("__repr__", &GradcheckReport::text)
      .def("_repr_html_", [](const GradcheckReport& r) {
        return frame(as_output(page_of(r, "a function")), 720);
      });
  m.def(
      "_gradcheck_function",
      [](const nb::callable& f, const std::vector<std::pair<std::string, Tensor>>& inputs,
         double tolerance, double step, std::int64_t max_entries, std::uint64_t seed, bool curves) {
        return check_function(f, inputs, options_from(tolerance, step, max_entries, seed, curves));
      },
      "f"_a, "inputs"_a, "tolerance"_a, "step"_a, "max_entries"_a, "seed"_a, "curves"_a);
  m.def(
      "_gradcheck_module",
      [](Module& module, const Tensor& x, double tolerance, double step, std::int64_t max_entries,
         std::uint64_t seed, bool curves) {
        GradcheckOptions options = options_from(tolerance, step, max_entries, seed, curves);
        options.before_pass = [] {  // Ctrl-C
          const Calling calling;
          if (PyErr_CheckSignals() != 0) throw nb::python_error();
        };
        return gradcheck(module, x, options);
      },
      "module"_a, "x"_a, "tolerance"_a, "step"_a, "max_entries"_a, "seed"_a, "curves"_a,
      nb::call_guard<Computing>());
  m.def(
      "_record",
      [](const Tensor& y, const std::vector<Tensor>& inputs, nb::callable backward) {
        return record_python(y, inputs, std::move(backward));
      },
      "y"_a, "inputs"_a, "backward"_a);
}

}  // namespace limulus::python

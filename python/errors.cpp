// C++ exceptions become Python's, with the same text and the same names (core/error.h). Each also
// is what a Python programmer would expect to catch: limulus/errors.py has the classes.
#include "core/error.h"

#include <typeinfo>

#include "python/bindings.h"
#include "training/evaluate.h"
#include "training/trainer.h"

namespace limulus::python {
namespace {

// The class of `e`, by its name in limulus/errors.py; the most particular first.
const char* name_of(const Error& e) {
  if (dynamic_cast<const ShapeError*>(&e) != nullptr) return "ShapeError";
  if (dynamic_cast<const DTypeError*>(&e) != nullptr) return "DTypeError";
  if (dynamic_cast<const ValueError*>(&e) != nullptr) return "ValueError";
  if (dynamic_cast<const DeviceError*>(&e) != nullptr) return "DeviceError";
  if (dynamic_cast<const GraphError*>(&e) != nullptr) return "GraphError";
  if (dynamic_cast<const FileError*>(&e) != nullptr) return "FileError";
  if (dynamic_cast<const LossError*>(&e) != nullptr) return "LossError";
  return "Error";
}

}  // namespace

void bind_errors(nb::module_& m) {
  nb::module_ errors = nb::module_::import_("limulus.errors");
  for (const char* name : {"Error", "ShapeError", "DTypeError", "ValueError", "DeviceError",
                           "GraphError", "FileError", "LossError"})
    m.attr(name) = errors.attr(name);
  nb::register_exception_translator([](const std::exception_ptr& thrown, void*) {
    try {
      std::rethrow_exception(thrown);
    } catch (const std::bad_cast&) {
      PyErr_SetString(PyExc_TypeError, "an argument is of a type that this does not take");
    } catch (const Error& e) {
      const nb::object type = nb::module_::import_("limulus.errors").attr(name_of(e));
      // Text that came from a file need not be UTF-8.
      const nb::object text = nb::steal(PyUnicode_DecodeUTF8(
          e.what(), static_cast<Py_ssize_t>(std::char_traits<char>::length(e.what())),
          "backslashreplace"));
      PyErr_SetObject(type.ptr(), text.ptr());
    }
  });
}

}  // namespace limulus::python

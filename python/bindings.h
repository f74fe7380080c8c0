#pragma once
// The module's parts, and how Python's values become arguments.
//
//   errors, tensor, no_grad, indexing, arrays, operations     core
//   layers, walk, models                             layers, models
//   explain                                          layers/explain.h
//   checkpoints, look, data, training                training
//   gradcheck, python_op, cases                      gradcheck
//   trace                                            core/trace.h
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/shape.h"
#include "core/tensor.h"
#include "core/window.h"
#include "python/work.h"

namespace limulus::python {

using namespace nb::literals;

// A shape: a number, or numbers. ShapeError for a negative one.
using Sizes = std::variant<std::int64_t, std::vector<std::int64_t>>;
Shape shape_from(const Sizes& sizes);
nb::tuple tuple_of(const std::vector<std::int64_t>& sizes);
inline nb::tuple tuple_of(const Shape& shape) { return tuple_of(shape.sizes()); }

// Height and width, or one number for both.
using Pair = std::variant<std::int64_t, std::pair<std::int64_t, std::int64_t>>;
Size2d size_from(const Pair& pair);

// limulus.f32, "f32", "float32", numpy.float32 ...: DTypeError lists what there is.
DType dtype_from(nb::handle dtype);

// An argument that may be None.
using MaybeTensor = std::optional<Tensor>;
inline Tensor or_undefined(const MaybeTensor& t) { return t ? *t : Tensor(); }
inline MaybeTensor or_none(const Tensor& t) { return t.defined() ? MaybeTensor(t) : std::nullopt; }

// The values where they are, as NumPy sees them (arrays.cpp).
nb::object numpy_of(const Tensor& t, bool writable);
// t[2, 1:3], as a tensor (indexing.cpp).
Tensor indexed(const Tensor& t, nb::handle key);

// The part of a tensor's page in a notebook: a whole HTML page in a frame of its own.
std::string frame(const std::string& page, int height);

void bind_errors(nb::module_& m);
void bind_tensor(nb::module_& m);
void bind_no_grad(nb::module_& m);
void bind_arrays(nb::module_& m);
void bind_operations(nb::module_& m);
void bind_layer_functions(nb::module_& m);
void bind_layers(nb::module_& m);
void bind_walk(nb::module_& m);
void bind_models(nb::module_& m);
void bind_checkpoints(nb::module_& m);
void bind_look(nb::module_& m);
void bind_data(nb::module_& m);
void bind_training(nb::module_& m);
void bind_explain(nb::module_& m);
void bind_gradcheck(nb::module_& m);
void bind_cases(nb::module_& m);
void bind_trace(nb::module_& m);

}  // namespace limulus::python

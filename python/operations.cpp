// Functions of tensors (core/algebra.h), and how tensors are made.
#include "backends/registry.h"
#include "core/algebra.h"
#include "core/error.h"
#include "core/rng.h"
#include "python/bindings.h"
#include "python/reductions.h"

namespace limulus::python {
namespace {

void bind_making(nb::module_& m) {
  const auto filled = [&](const char* name, double value, const char* doc) {
    m.def(
        name,
        [value](const Sizes& shape, nb::handle dtype, const std::string& on, bool requires_grad) {
          const DType type = dtype_from(dtype);
          const Computing computing;
          Tensor t = Tensor::full(shape_from(shape), value, type, device(on));
          if (requires_grad) t.set_requires_grad();
          return t;
        },
        "shape"_a, "dtype"_a = "f32", "device"_a = "cpu", "requires_grad"_a = false, doc);
  };
  filled("zeros", 0, "A tensor of this shape whose values are 0. ShapeError for a negative size.");
  filled("ones", 1, "A tensor of this shape whose values are 1. ShapeError for a negative size.");
  m.def(
      "full",
      [](const Sizes& shape, double value, nb::handle dtype, const std::string& on,
         bool requires_grad) {
        const DType type = dtype_from(dtype);
        const Computing computing;
        Tensor t = Tensor::full(shape_from(shape), value, type, device(on));
        if (requires_grad) t.set_requires_grad();
        return t;
      },
      "shape"_a, "value"_a, "dtype"_a = "f32", "device"_a = "cpu", "requires_grad"_a = false,
      "A tensor of this shape whose values are all the same.");

  using Fill = void (*)(Tensor&, double, double, Rng&);
  const auto random = [&](const char* name, Fill fill, const char* first, double a,
                          const char* second, double b, const char* doc) {
    m.def(
        name,
        [fill](const Sizes& shape, double x, double y, std::uint64_t seed, nb::handle dtype,
               const std::string& on, bool requires_grad) {
          const DType type = dtype_from(dtype);
          const Computing computing;
          Tensor t = Tensor::empty(shape_from(shape), type, device(on));
          Rng rng(seed, stream_of("python"));
          fill(t, x, y, rng);
          if (requires_grad) t.set_requires_grad();
          return t;
        },
        "shape"_a, nb::arg(first) = a, nb::arg(second) = b, "seed"_a = 0, "dtype"_a = "f32",
        "device"_a = "cpu", "requires_grad"_a = false, doc);
  };
  random("randn", fill_normal, "mean", 0, "deviation", 1,
         "Normally distributed values: the same for the same seed, on every device.");
  random("rand", fill_uniform, "low", 0, "high", 1,
         "Values uniform between low and high: the same for the same seed, on every device.");
}

void bind_elementwise(nb::module_& m) {
  using Binary = Tensor (*)(const Tensor&, const Tensor&);
  const auto binary = [&](const char* name, Binary f, const char* doc) {
    m.def(name, f, "a"_a, "b"_a, nb::call_guard<Computing>(), doc);
  };
  binary("add", add, "a + b; shapes are aligned at the right, and sizes of 1 are stretched.");
  binary("sub", sub, "a - b; shapes are aligned at the right, and sizes of 1 are stretched.");
  binary("mul", mul, "a * b, value by value; shapes as for add().");
  binary("div", div, "a / b, value by value; shapes as for add().");
  binary("maximum", maximum, "The larger of two values; where equal, the gradient goes to a.");
  binary("minimum", minimum, "The smaller of two values; where equal, the gradient goes to a.");

  using Unary = Tensor (*)(const Tensor&);
  const auto unary_function = [&](const char* name, Unary f, const char* doc) {
    m.def(name, f, "x"_a, nb::call_guard<Computing>(), doc);
  };
  unary_function("exp", exp, "e to the power of each value.");
  unary_function("log", log, "The natural logarithm of each value.");
  unary_function("sqrt", sqrt, "The square root of each value.");
  unary_function("square", square, "Each value times itself.");
  unary_function("abs", abs, "Each value without its sign.");
}

void bind_shapes(nb::module_& m) {
  m.def("sum", &sum_over, "x"_a, "axis"_a = nb::none(), "keep"_a = false,
        nb::call_guard<Computing>(),
        "The sum of all values (shape ()), or over one axis, which stays as 1 with keep=True.");
  m.def("mean", &mean_over, "x"_a, "axis"_a = nb::none(), "keep"_a = false,
        nb::call_guard<Computing>(), "The mean of all values (shape ()), or over one axis.");
  m.def("amax", &amax, "x"_a, "axis"_a, "keep"_a = false, nb::call_guard<Computing>(),
        "The maximum over an axis; equal maxima share the gradient evenly.");
  m.def("matmul", &matmul, "a"_a, "b"_a, "trans_a"_a = false, "trans_b"_a = false,
        nb::call_guard<Computing>(),
        "[m, k] x [k, n] -> [m, n]; with a flag, that factor is given transposed. ShapeError.");
  m.def("concat", &concat, "parts"_a, "axis"_a, nb::call_guard<Computing>(),
        "Tensors one after the other along an axis; all other sizes are the same. ShapeError.");
  m.def("narrow", &narrow, "x"_a, "axis"_a, "start"_a, "length"_a, nb::call_guard<Computing>(),
        "The part [start, start + length) of an axis, as a copy. ShapeError where it is outside.");
}

}  // namespace

void bind_operations(nb::module_& m) {
  bind_making(m);
  bind_elementwise(m);
  bind_shapes(m);
  m.def(
      "devices",
      [] {
        std::vector<std::string> names;
        const Computing computing;
        for (const DeviceInfo& info : list_devices()) names.push_back(info.name);
        return names;
      },
      "The names of the devices that exist.");
  m.def("_dtype", &dtype_from);
  m.def("set_threads", &set_device_threads, "threads"_a, nb::call_guard<Computing>(),
        "With how many threads the device \"cpu\" computes. Results stay the same, bit for bit.");
}

}  // namespace limulus::python

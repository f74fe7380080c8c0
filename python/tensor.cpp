// limulus.Tensor (core/tensor.h).
#include "core/tensor.h"

#include <functional>
#include <sstream>
#include <string>
#include <utility>

#include "backends/registry.h"
#include "core/algebra.h"
#include "core/error.h"
#include "layers/activation.h"
#include "layers/softmax.h"
#include "python/bindings.h"
#include "python/reductions.h"

namespace limulus::python {
namespace {

constexpr const char* tensor_doc =
    "A dense array, and the operation that made it.\n\n"
    "Arrays are row-major; images are [N, C, H, W]. Made by tensor(), from_numpy(), zeros(), ... "
    "and "
    "by operations. Copies of the handle see the same values, gradient and history.";

std::string text_of(const Tensor& t) {
  std::ostringstream out;
  out << t;
  return out.str();
}

// Operators return NotImplemented for what they do not know, so that Python's own error appears.
template <auto tensors>
void bind_operator(nb::class_<Tensor>& t, const char* name) {
  t.def(name, tensors, nb::is_operator(), nb::call_guard<Computing>());
}

// x^n as a product, for a whole n of at least 1.
Tensor power(const Tensor& x, std::int64_t n) {
  if (n == 1) return x;
  const Tensor half = power(x, n / 2), both = square(half);
  return n % 2 == 0 ? both : both * x;
}

void bind_arithmetic(nb::class_<Tensor>& t) {
  bind_operator<add>(t, "__add__");
  bind_operator<sub>(t, "__sub__");
  bind_operator<mul>(t, "__mul__");
  bind_operator<div>(t, "__truediv__");
  const auto scalar = [&](const char* name, Tensor (*f)(const Tensor&, double)) {
    t.def(name, f, nb::is_operator(), nb::call_guard<Computing>());
  };
  scalar("__add__", [](const Tensor& x, double s) { return x + s; });
  scalar("__radd__", [](const Tensor& x, double s) { return s + x; });
  scalar("__sub__", [](const Tensor& x, double s) { return x - s; });
  scalar("__rsub__", [](const Tensor& x, double s) { return s - x; });
  scalar("__mul__", [](const Tensor& x, double s) { return x * s; });
  scalar("__rmul__", [](const Tensor& x, double s) { return s * x; });
  scalar("__truediv__", [](const Tensor& x, double s) { return x / s; });
  scalar("__rtruediv__", [](const Tensor& x, double s) {
    return div(Tensor::full({}, s, x.dtype(), x.backend()), x);
  });
  t.def(
      "__matmul__", [](const Tensor& a, const Tensor& b) { return matmul(a, b); },
      nb::is_operator(), nb::call_guard<Computing>());
  // What is no tensor and no number is Python's to refuse; of an array we can say more.
  for (const char* name : {"__add__", "__radd__", "__sub__", "__rsub__", "__mul__", "__rmul__",
                           "__truediv__", "__rtruediv__", "__matmul__", "__rmatmul__"})
    t.def(
        name,
        [](const Tensor&, nb::handle other) -> nb::object {
          if (!nb::hasattr(other, "__array__") || !nb::hasattr(other, "__len__"))
            throw nb::next_overload();
          throw nb::type_error(
              "a Tensor and a NumPy array are not computed with together: limulus.tensor(array) "
              "makes a tensor, and t.numpy() an array");
        },
        nb::is_operator());
  t.def("__neg__", &neg, nb::call_guard<Computing>());
  t.def(
      "__pow__",
      [](const Tensor& x, nb::handle exponent) {
        double n = 0;
        const bool number = nb::try_cast(exponent, n);
        const Computing computing;
        if (number && n == 0.5) return sqrt(x);
        if (number && n >= 1 && n <= 1024 && n == static_cast<double>(static_cast<int>(n)))
          return power(x, static_cast<std::int64_t>(n));
        throw ValueError(
            "pow: the exponent is a whole number from 1 to 1024, or 0.5; for others, and positive "
            "x, there is exp(log(x) * exponent)");
      },
      "exponent"_a, "x times itself, a whole number of times; 0.5: the square root.");
}

// Comparisons give NumPy's arrays of truth values: for masks and for counting, without a gradient.
void bind_comparisons(nb::class_<Tensor>& t) {
  const auto comparison = [&](const char* name, const char* signature) {
    t.def(
        name,
        [name](const Tensor& x, nb::handle other) {
          const nb::object mine = numpy_of(x, false);
          if (Tensor y; nb::try_cast(other, y))
            return nb::object(mine.attr(name)(numpy_of(y, false)));
          return nb::object(mine.attr(name)(other));
        },
        nb::arg("other").none(), nb::sig(signature),
        "An array of NumPy with a truth value for each pair of values. `is` asks whether two names "
        "mean one tensor.");
  };
  comparison("__eq__", "def __eq__(self, other: object) -> object");
  comparison("__ne__", "def __ne__(self, other: object) -> object");
  comparison("__lt__", "def __lt__(self, other: object) -> object");
  comparison("__le__", "def __le__(self, other: object) -> object");
  comparison("__gt__", "def __gt__(self, other: object) -> object");
  comparison("__ge__", "def __ge__(self, other: object) -> object");
  t.def("__hash__", [](nb::handle x) { return std::hash<const void*>{}(x.ptr()); });
}

// What people look for by the name that it has elsewhere.
constexpr std::pair<const char*, const char*> elsewhere[] = {
    {"T",
     "matmul(a, b, trans_b=True) takes a factor as if transposed; there is no transposed view"},
    {"transpose", "matmul(a, b, trans_b=True) takes a factor as if transposed"},
    {"permute", "x.numpy().transpose(...) has the axes in another order, for limulus.tensor()"},
    {"max", "x.amax(axis) is the maximum over an axis, maximum(a, b) that of two tensors"},
    {"min", "-(-x).amax(axis) is the minimum over an axis, minimum(a, b) that of two tensors"},
    {"argmax", "x.numpy().argmax(axis) tells where the maximum is"},
    {"view", "it is called reshape()"},
    {"unsqueeze", "x.reshape(...) adds an axis of size 1"},
    {"squeeze", "x.reshape(...) takes an axis of size 1 away"},
    {"float", "x.to_dtype(\"f32\") has the values as f32"},
    {"double", "x.to_dtype(\"f64\") has the values as f64"},
    {"astype", "it is called to_dtype()"},
    {"cuda", "x.to(\"opencl:0\") is on another device; limulus.devices() lists them"},
    {"cpu", "x.to(\"cpu\") is on the processor"},
    {"var", "square(x - x.mean(axis, keep=True)).mean(axis) is the variance"},
    {"std", "sqrt(square(x - x.mean(axis, keep=True)).mean(axis)) is the deviation"},
};

[[noreturn]] void no_such_attribute(const Tensor& /*x*/, const std::string& name) {
  std::string text = "a limulus.Tensor has no attribute '" + name + "'";
  for (const auto& [known, instead] : elsewhere)
    if (name == known) text += std::string(": ") + instead;
  throw nb::attribute_error(text.c_str());
}

// As reshape(x, {sizes}), of sizes that are known at run time.
Tensor reshaped(const Tensor& x, std::vector<std::int64_t> sizes) {
  std::vector<std::int64_t> others;
  std::size_t open = sizes.size();
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] != -1)
      others.push_back(sizes[i]);
    else if (open < sizes.size())
      throw ShapeError("reshape: only one size can be -1");
    else
      open = i;
  }
  const std::int64_t product = Shape(others).numel();
  if (open < sizes.size() && product > 0) sizes[open] = x.numel() / product;
  return reshape(x, Shape(sizes));
}

void bind_functions(nb::class_<Tensor>& t) {
  const auto method = [&](const char* name, Tensor (*f)(const Tensor&), const char* doc) {
    t.def(name, f, nb::call_guard<Computing>(), doc);
  };
  method("exp", exp, "e to the power of each value.");
  method("log", log, "The natural logarithm of each value.");
  method("sqrt", sqrt, "The square root of each value.");
  method("square", square, "Each value times itself.");
  method("abs", abs, "Each value without its sign.");
  method("relu", relu, "max(0, x); its gradient at 0 is 0.");
  method("sigmoid", sigmoid, "1 / (1 + exp(-x)).");
  method("tanh", tanh, "The hyperbolic tangent of each value.");
  method("softmax", softmax, "Positive numbers that add up to 1 along the last axis.");
  using Reduction = Tensor (*)(const Tensor&, std::optional<int>, bool);
  const auto reduction = [&](const char* name, Reduction f, const char* doc) {
    t.def(name, f, "axis"_a = nb::none(), "keep"_a = false, nb::call_guard<Computing>(), doc);
  };
  reduction("sum", sum_over,
            "The sum of all values (shape ()), or over one axis, which stays as 1 with keep=True.");
  reduction("mean", mean_over, "The mean of all values (shape ()), or over one axis.");
  t.def(
      "amax", [](const Tensor& x, int axis, bool keep) { return amax(x, axis, keep); }, "axis"_a,
      "keep"_a = false, nb::call_guard<Computing>(),
      "The maximum over an axis; equal maxima share the gradient evenly.");
  t.def(
      "reshape",
      [](const Tensor& x, const nb::args& sizes) {
        // x.reshape(2, 3) and x.reshape((2, 3))
        const nb::object given = sizes.size() == 1 ? nb::object(sizes[0]) : nb::object(sizes);
        Sizes wanted;
        if (!nb::try_cast(given, wanted))
          throw nb::type_error("reshape: sizes are whole numbers, or one sequence of them");
        const auto* one = std::get_if<std::int64_t>(&wanted);
        const std::vector<std::int64_t> all =
            one != nullptr ? std::vector{*one} : std::get<std::vector<std::int64_t>>(wanted);
        const Computing computing;
        return reshaped(x, all);
      },
      nb::sig("def reshape(self, *sizes: int | Sequence[int]) -> Tensor"),
      "The same values in another shape, without a copy. One size may be -1: it follows.");
  t.def("flatten", &flatten, "first_axis"_a = 1, nb::call_guard<Computing>(),
        "[N, C, H, W] -> [N, C*H*W].");
}

// What it is, and its values.
void bind_values(nb::class_<Tensor>& t) {
  t.def_prop_ro(
      "shape", [](const Tensor& x) { return tuple_of(x.shape()); },
      nb::sig("def shape(self) -> tuple[int, ...]"), "The sizes, outermost first.");
  t.def_prop_ro(
      "ndim", [](const Tensor& x) { return x.shape().rank(); }, "How many axes there are.");
  t.def_prop_ro("dtype", &Tensor::dtype, "The type of its elements: f32, f64, i64, i32 or bf16.");
  t.def_prop_ro(
      "device",
      [](const Tensor& x) {
        const Computing computing;
        return x.backend().name();
      },
      "Where its values are: \"cpu\", \"reference\", \"opencl:0\" ...");
  t.def_prop_ro(
      "version",
      [](const Tensor& x) {
        const Computing computing;
        return x.impl()->storage->version;
      },
      "How often its values were changed in place; backward compares it with what it saved. "
      "Writing "
      "through NumPy is not counted: see mark_changed().");
  t.def(
      "mark_changed", [](Tensor& x) { x.mutable_data(); }, nb::call_guard<Computing>(),
      "Counts an in-place change: for who wrote to the values through NumPy.");
  t.def("numel", &Tensor::numel, "How many values it has.");
  t.def(
      "size", [](const Tensor& x, int axis) { return x.size(axis); }, "axis"_a,
      "The size of one axis; a negative one counts from the end.");
  t.def("item", &Tensor::item, nb::call_guard<Computing>(),
        "The value of a tensor with one element. ShapeError for others.");
  t.def(
      "tolist", [](const Tensor& x) { return numpy_of(x, false).attr("tolist")(); },
      "The values as nested lists.");
  t.def("__float__", &Tensor::item, nb::call_guard<Computing>());
  t.def(
      "__bool__", [](const Tensor& x) { return x.item() != 0; }, nb::call_guard<Computing>());
  t.def("__len__", [](const Tensor& x) {
    if (x.shape().rank() == 0) throw nb::type_error("len() of a tensor of shape ()");
    return x.size(0);
  });
  t.def("__getitem__", [](const Tensor& x, nb::handle key) { return indexed(x, key); });
  t.def("__repr__", &text_of, nb::call_guard<Computing>());
}

// The same values, otherwise; and in-place changes.
void bind_changes(nb::class_<Tensor>& t) {
  t.def("detach", &Tensor::detach, nb::call_guard<Computing>(),
        "A tensor on the same values, without history.");
  t.def("clone", &Tensor::clone, nb::call_guard<Computing>(), "New values, without history.");
  t.def("__copy__", &Tensor::detach, nb::call_guard<Computing>());
  t.def("__deepcopy__", [](const Tensor& x, nb::handle) {
    const Computing computing;
    return x.clone();
  });
  t.def(
      "to_dtype",
      [](const Tensor& x, nb::handle dtype) {
        const DType wanted = dtype_from(dtype);
        const Computing computing;
        return x.to_dtype(wanted);
      },
      "dtype"_a, "The values in another type: a copy, without history.");
  t.def(
      "to", [](const Tensor& x, const std::string& name) { return to(x, device(name)); },
      "device"_a, nb::call_guard<Computing>(),
      "The values on another device; the gradient travels back. DeviceError lists the devices.");
  t.def("fill_", &Tensor::fill_, "value"_a, nb::call_guard<Computing>(),
        "Sets all values. GraphError while it takes part in a gradient: use no_grad().");
  t.def("copy_", &Tensor::copy_, "source"_a, nb::call_guard<Computing>(),
        "Takes the values of a tensor of the same shape and type. GraphError as fill_().");
}

void bind_gradients(nb::class_<Tensor>& t) {
  t.def_prop_rw(
      "requires_grad",
      [](const Tensor& x) {
        const Computing computing;
        return x.requires_grad();
      },
      [](Tensor& x, bool on) {
        const Computing computing;
        x.set_requires_grad(on);
      },
      "Whether backward() computes its gradient. GraphError for the result of an operation.");
  t.def("set_requires_grad", &Tensor::set_requires_grad, "on"_a = true, nb::call_guard<Computing>(),
        "Sets requires_grad, and returns the tensor.");
  t.def_prop_ro(
      "is_leaf",
      [](const Tensor& x) {
        const Computing computing;
        return x.is_leaf();
      },
      "Whether it is no result of a recorded operation.");
  t.def_prop_rw(
      "grad",
      [](const Tensor& x) {
        const Computing computing;
        return or_none(x.grad());
      },
      [](Tensor& x, const MaybeTensor& grad) {
        const Computing computing;
        x.set_grad(or_undefined(grad));
      },
      nb::for_setter(nb::arg("grad").none()),
      "What backward() has added up so far; None before it reached this tensor.");
  t.def("zero_grad", &Tensor::zero_grad, nb::call_guard<Computing>(), "Forgets the gradient.");
  t.def(
      "backward",
      [](const Tensor& y, const MaybeTensor& dy) {
        if (dy)
          y.backward(*dy);
        else
          y.backward();
      },
      "dy"_a = nb::none(), nb::call_guard<Computing>(),
      "Adds d(this)/d(leaf) to the grad of every leaf that requires it. Without dy the tensor must "
      "have one element. ShapeError; GraphError for a second backward, or a saved tensor that was "
      "changed in place.");
}

}  // namespace

void bind_tensor(nb::module_& m) {
  auto dtype = nb::enum_<DType>(m, "DType", "The type of a tensor's elements.");
  for (const DType d : {DType::f32, DType::f64, DType::i64, DType::i32, DType::bf16})
    dtype.value(limulus::name_of(d), d);
  dtype.export_values();

  nb::class_<Tensor> t(m, "Tensor", tensor_doc);
  bind_values(t);
  bind_changes(t);
  bind_gradients(t);
  bind_arithmetic(t);
  bind_comparisons(t);
  bind_functions(t);
  t.def("__getattr__", &no_such_attribute,
        nb::sig("def __getattr__(self, name: str) -> typing.NoReturn"));
}

}  // namespace limulus::python

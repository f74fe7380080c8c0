// Arrays of other libraries and tensors, on the same memory: NumPy, and DLPack for all others.
//
//   t.numpy()          a view that can only be read        np.asarray(t), too
//   t.numpy(True)      a view that can be written: an in-place change, as mutable_values() in C++
//   t.__dlpack__()     for torch.from_dlpack(t) and its like; not of a tensor that is recorded
//   from_numpy(a)      a tensor on the array's memory
//   from_dlpack(a)     the same for whatever has __dlpack__
//
// Whoever made the memory, it lives until the last of all views is gone.
#include <nanobind/ndarray.h>

#include <fmt/format.h>

#include "backends/registry.h"
#include "core/error.h"
#include "python/bindings.h"

namespace limulus::python {
namespace {

using AnyArray = nb::ndarray<>;
using ReadOnlyArray = nb::ndarray<nb::ro>;

struct Type {
  DType ours;
  nb::dlpack::dtype theirs;
};
constexpr auto code(nb::dlpack::dtype_code c) { return static_cast<std::uint8_t>(c); }
constexpr Type types[] = {
    {DType::f32, {code(nb::dlpack::dtype_code::Float), 32, 1}},
    {DType::f64, {code(nb::dlpack::dtype_code::Float), 64, 1}},
    {DType::i64, {code(nb::dlpack::dtype_code::Int), 64, 1}},
    {DType::i32, {code(nb::dlpack::dtype_code::Int), 32, 1}},
    {DType::bf16, {code(nb::dlpack::dtype_code::Bfloat), 16, 1}},
};

nb::dlpack::dtype theirs(DType dtype) {
  for (const Type& t : types)
    if (t.ours == dtype) return t.theirs;
  throw DTypeError("arrays: unknown type");
}

DType ours(nb::dlpack::dtype dtype, const char* what, nb::handle array) {
  for (const Type& t : types)
    if (t.theirs == dtype) return t.ours;
  const nb::object name = nb::getattr(array, "dtype", nb::str("of another kind"));
  throw DTypeError(
      fmt::format("{}: the array's elements are {}; Limulus has float32, float64, int64 and int32. "
                  "tensor(array, dtype=...) makes a copy in one of them",
                  what, nb::str(name).c_str()));
}

// ---- from tensors ----------------------------------------------------------------------------

// The memory, and a handle that keeps it: one of its own, as this tensor may later be given other
// memory (Tensor::adopt_).
struct Memory {
  void* data;
  nb::capsule owner;
  std::vector<std::size_t> shape;
};

Memory memory_of(const Tensor& t, const char* what, bool writable) {
  void* data = nullptr;
  Tensor* handle = nullptr;
  {
    const Computing computing;
    if (!t.backend().host_memory())
      throw DeviceError(
          fmt::format("{}: the values are in the memory of {}; copy them with "
                      "to(\"cpu\") first",
                      what, t.backend().name()));
    if (writable && t.requires_grad() && NoGrad::recording())
      throw GraphError(fmt::format(
          "{}: this tensor {} takes part in a gradient, and changing it in place would make that "
          "gradient wrong; use detach(), or a no_grad() block, or read without writing",
          what, t.shape().str()));
    t.backend().synchronize();
    handle = new Tensor(t.detach());
    data = const_cast<void*>(handle->data());
  }
  static std::int64_t nothing = 0;  // an array of no values still wants an address
  const std::vector<std::int64_t>& sizes = t.shape().sizes();
  return {data == nullptr ? &nothing : data,
          nb::capsule(handle, [](void* p) noexcept { delete static_cast<Tensor*>(p); }),
          {sizes.begin(), sizes.end()}};
}

nb::object dlpack_of(const Tensor& t, const nb::kwargs& options) {
  const Memory m = memory_of(t, "__dlpack__", /*writable=*/true);
  const nb::ndarray<nb::array_api> array(m.data, m.shape.size(), m.shape.data(), m.owner, nullptr,
                                         theirs(t.dtype()), nb::device::cpu::value, 0);
  return nb::cast(array).attr("__dlpack__")(**options);
}

// numpy.asarray(t, dtype, copy=...): a view where that is possible.
nb::object array_of(const Tensor& t, nb::handle dtype, nb::handle copy) {
  nb::object view = numpy_of(t, false);
  const bool converts = !dtype.is_none() && !view.attr("dtype").equal(dtype);
  if (copy.ptr() == Py_True)
    return dtype.is_none() ? view.attr("copy")() : view.attr("astype")(dtype);
  if (!converts) return view;
  if (!copy.is_none())
    throw ValueError(fmt::format("Tensor: {} cannot be seen as {} without a copy",
                                 limulus::name_of(t.dtype()), nb::str(dtype).c_str()));
  return view.attr("astype")(dtype);
}

// ---- to tensors ------------------------------------------------------------------------------

bool row_major(const AnyArray& a) {
  std::int64_t step = 1;
  for (std::size_t axis = a.ndim(); axis-- > 0;) {
    if (a.shape(axis) != 1 && a.stride(axis) != step) return a.size() == 0;
    step *= static_cast<std::int64_t>(a.shape(axis));
  }
  return true;
}

Tensor share(nb::handle array, const char* what) {
  AnyArray a;
  if (!nb::try_cast(array, a, /*convert=*/false)) {
    if (ReadOnlyArray fixed; nb::try_cast(array, fixed, /*convert=*/false))
      throw ValueError(fmt::format(
          "{}: the array can only be read, and a tensor's values can be changed; tensor(array) "
          "makes a copy",
          what));
    throw DTypeError(
        fmt::format("{}: expected an array of float32, float64, int64 or int32 in this machine's "
                    "byte order, got "
                    "{}; tensor(...) makes a copy of whatever has numbers",
                    what, nb::repr(array.type()).c_str()));
  }
  if (a.device_type() != nb::device::cpu::value)
    throw DeviceError(fmt::format(
        "{}: the array is in the memory of a device, and a tensor needs the processor's", what));
  const DType dtype = ours(a.dtype(), what, array);
  if (!row_major(a))
    throw ValueError(fmt::format(
        "{}: the array's elements do not follow one another row by row (it was transposed or "
        "sliced); tensor(array) makes a copy that does",
        what));
  if (reinterpret_cast<std::uintptr_t>(a.data()) % size_of(dtype) != 0)
    throw ValueError(
        fmt::format("{}: the array does not begin at a multiple of its element's {} bytes; "
                    "tensor(array) makes a "
                    "copy that does",
                    what, size_of(dtype)));
  std::vector<std::int64_t> sizes;
  for (std::size_t axis = 0; axis < a.ndim(); ++axis)
    sizes.push_back(static_cast<std::int64_t>(a.shape(axis)));
  void* data = a.data();
  const std::shared_ptr<const void> owner = kept(std::move(a));
  const Computing computing;
  return Tensor::on_memory(data, owner, dtype, Shape(sizes), device("cpu"));
}

// A copy of an array that is in order already (limulus/_making.py sees to that).
Tensor copied(const nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>& a, nb::handle array,
              const std::string& device_name) {
  const DType dtype = ours(a.dtype(), "tensor", array);
  std::vector<std::int64_t> sizes;
  for (std::size_t axis = 0; axis < a.ndim(); ++axis)
    sizes.push_back(static_cast<std::int64_t>(a.shape(axis)));
  const Computing computing;
  return Tensor::from_host(a.data(), static_cast<std::int64_t>(a.size()), dtype, Shape(sizes),
                           device(device_name));
}

}  // namespace

nb::object numpy_of(const Tensor& t, bool writable) {
  if (t.dtype() == DType::bf16)
    throw DTypeError("numpy: NumPy has no bf16; to_dtype(\"f32\") makes a copy that it has");
  const Memory m = memory_of(t, "numpy", writable);
  if (!writable)
    return nb::cast(nb::ndarray<nb::numpy, nb::ro>(m.data, m.shape.size(), m.shape.data(), m.owner,
                                                   nullptr, theirs(t.dtype())));
  {
    const Computing computing;
    ++t.impl()->storage->version;
  }
  return nb::cast(nb::ndarray<nb::numpy>(m.data, m.shape.size(), m.shape.data(), m.owner, nullptr,
                                         theirs(t.dtype())));
}

void bind_arrays(nb::module_& m) {
  auto t = nb::borrow<nb::class_<Tensor>>(m.attr("Tensor"));
  t.def(
      "numpy", &numpy_of, "writable"_a = false,
      nb::sig("def numpy(self, writable: bool = False) -> numpy.ndarray"),
      "The values as a NumPy array on the same memory, which lives as long as the array.\n\n"
      "The array can only be read. With writable=True it can be written, which counts as one "
      "in-place change, now (what is written later is not counted: mark_changed()); GraphError "
      "while the tensor takes part in a gradient. DeviceError on a device with memory of its own.");
  t.def("__array__", &array_of, "dtype"_a = nb::none(), "copy"_a = nb::none());
  t.def(
      "__dlpack__", &dlpack_of,
      "The values for other libraries, on the same memory. GraphError while the tensor takes part "
      "in a gradient: use detach().");
  t.def("__dlpack_device__", [](const Tensor&) { return nb::make_tuple(1, 0); });
  t.attr("__array_ufunc__") = nb::none();  // numpy.float64(2) * t is ours to compute
  m.def(
      "from_numpy", [](nb::handle array) { return share(array, "from_numpy"); },
      nb::arg("array").none(),
      "A tensor on the memory of a NumPy array of float32, float64, int64 or int32: writing to one "
      "is seen in the other, and is not counted as a change (Tensor.version).\n\n"
      "ValueError for an array that can only be read, or is not in row-major order; DTypeError.");
  m.def(
      "from_dlpack", [](nb::handle array) { return share(array, "from_dlpack"); },
      nb::arg("array").none(),
      "As from_numpy(), of any array in the processor's memory that has __dlpack__.");
  m.def("_copied", &copied);
}

}  // namespace limulus::python

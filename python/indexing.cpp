// t[2], t[1:3], t[0, :, 4]: whole numbers and slices with a step of 1, as a copy whose gradient
// goes back to where it came from (narrow in core/algebra.h).
#include "core/algebra.h"
#include "core/error.h"
#include "python/bindings.h"

namespace limulus::python {
namespace {

struct Part {  // of one axis
  std::int64_t start = 0, length = 0;
  bool keep = true;  // a slice keeps the axis, a number does not
};

Part part_of(nb::handle key, std::int64_t size, int axis) {
  const auto refuse = [](const std::string& text) -> Part { throw nb::index_error(text.c_str()); };
  if (PySlice_Check(key.ptr())) {
    const auto [start, stop, step, length] =
        nb::borrow<nb::slice>(key).compute(static_cast<std::size_t>(size));
    if (step != 1)
      throw ValueError("Tensor: a slice has a step of 1; t.numpy() can be indexed in every way");
    return {static_cast<std::int64_t>(start), static_cast<std::int64_t>(length)};
  }
  std::int64_t index = 0;
  if (PyBool_Check(key.ptr()) || !nb::try_cast(key, index))
    throw nb::type_error(
        "a Tensor is indexed by whole numbers and slices; t.numpy() can be indexed in every way");
  if (index < -size || index >= size)
    return refuse("index " + std::to_string(index) + " is out of axis " + std::to_string(axis) +
                  ", whose size is " + std::to_string(size));
  return {index < 0 ? index + size : index, 1, false};
}

}  // namespace

Tensor indexed(const Tensor& t, nb::handle key) {
  const nb::tuple keys =
      nb::isinstance<nb::tuple>(key) ? nb::borrow<nb::tuple>(key) : nb::make_tuple(nb::borrow(key));
  if (static_cast<int>(keys.size()) > t.shape().rank()) {
    const std::string text =
        std::to_string(keys.size()) + " indices for a tensor of shape " + t.shape().str();
    throw nb::index_error(text.c_str());
  }
  std::vector<Part> parts;
  for (std::size_t axis = 0; axis < keys.size(); ++axis)
    parts.push_back(part_of(keys[axis], t.size(static_cast<int>(axis)), static_cast<int>(axis)));
  const Computing computing;
  Tensor y = t;
  std::vector<std::int64_t> sizes;
  for (int axis = 0; axis < t.shape().rank(); ++axis) {
    if (axis >= static_cast<int>(parts.size())) {
      sizes.push_back(t.size(axis));
      continue;
    }
    const Part& part = parts[static_cast<std::size_t>(axis)];
    if (part.length != t.size(axis)) y = narrow(y, axis, part.start, part.length);
    if (part.keep) sizes.push_back(part.length);
  }
  return reshape(y, Shape(sizes));
}

}  // namespace limulus::python

// How Python's values become arguments, and sizes become Python's.
#include <fmt/core.h>

#include "core/error.h"
#include "python/bindings.h"

namespace limulus::python {

Shape shape_from(const Sizes& sizes) {
  if (const auto* one = std::get_if<std::int64_t>(&sizes)) return Shape({*one});
  return Shape(std::get<std::vector<std::int64_t>>(sizes));
}

nb::tuple tuple_of(const std::vector<std::int64_t>& sizes) {
  nb::list all;
  for (const std::int64_t size : sizes) all.append(size);
  return nb::tuple(all);
}

Size2d size_from(const Pair& pair) {
  if (const auto* both = std::get_if<std::int64_t>(&pair)) return {*both};
  const auto& [h, w] = std::get<std::pair<std::int64_t, std::int64_t>>(pair);
  return {h, w};
}

DType dtype_from(nb::handle dtype) {
  if (nb::isinstance<DType>(dtype)) return nb::cast<DType>(dtype);  // not a number in its place
  std::string name;
  if (!nb::try_cast(dtype, name)) {
    // numpy.dtype("float32") has a name, and so has the class numpy.float32.
    for (const char* attribute : {"name", "__name__"})
      if (nb::hasattr(dtype, attribute) && nb::try_cast(dtype.attr(attribute), name)) break;
  }
  for (const auto& [ours, theirs, type] : {std::tuple{"f32", "float32", DType::f32},
                                           {"f64", "float64", DType::f64},
                                           {"i64", "int64", DType::i64},
                                           {"i32", "int32", DType::i32},
                                           {"bf16", "bfloat16", DType::bf16}})
    if (name == ours || name == theirs) return type;
  throw DTypeError(
      fmt::format("dtype: there is no type {}; there are f32, f64, i64, i32 and bf16, and NumPy's "
                  "names of them",
                  nb::repr(dtype).c_str()));
}

// The page is an attribute's value, all of it: html::escape would show its line ends as text.
std::string frame(const std::string& page, int height) {
  std::string value;
  for (const char c : page) {
    if (c == '&')
      value += "&amp;";
    else if (c == '"')
      value += "&quot;";
    else
      value += c;
  }
  return fmt::format(
      "<iframe srcdoc=\"{}\" style=\"width:100%;height:{}px;border:0\" "
      "sandbox=\"allow-scripts\" title=\"Limulus\"></iframe>",
      value, height);
}

}  // namespace limulus::python

// How a tensor's values are read: in place, or copied to the host.
#include <fmt/core.h>

#include <vector>

#include "core/error.h"
#include "core/tensor.h"

namespace limulus {

void Tensor::copy_to_host(void* values, DType wanted) const {
  const TensorImpl& t = get();
  if (t.dtype != wanted)
    throw DTypeError(fmt::format("tensor: asked for values of type {}, but this one holds {}",
                                 name_of(wanted), name_of(t.dtype)));
  t.storage->backend.download(values, t.storage->data, bytes());
}

namespace {

const char* cpp_name_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "float";
    case DType::f64:
      return "double";
    case DType::i64:
      return "std::int64_t";
    case DType::i32:
      return "std::int32_t";
    case DType::bf16:
      return "Bf16";
  }
  return "?";
}

}  // namespace

const void* Tensor::checked_data(DType wanted) const {
  const TensorImpl& t = get();
  const char *asked = cpp_name_of(wanted), *held = cpp_name_of(t.dtype);
  if (t.dtype != wanted)
    throw DTypeError(fmt::format(
        "values<{}>: the tensor {} holds {}: {} values of {} bytes, {} bytes, where {} of {} bytes "
        "would be {}; ask for values<{}>(), or convert with to_dtype(DType::{})",
        asked, t.shape.str(), name_of(t.dtype), t.shape.numel(), size_of(t.dtype), bytes(), asked,
        size_of(wanted), limulus::bytes_of(wanted, t.shape.numel()), held, name_of(wanted)));
  if (!t.storage->backend.host_memory())
    throw DeviceError(fmt::format(
        "values<{0}>: the tensor {1} is in the memory of {2}, where this program cannot read it; "
        "copy it with to_vector<{0}>(), or to another device with to(x, device(\"cpu\")) "
        "(core/algebra.h)",
        asked, t.shape.str(), t.storage->backend.name()));
  return t.storage->data;
}

std::vector<double> Tensor::to_doubles() const {
  const auto widen = [](const auto& v) { return std::vector<double>(v.begin(), v.end()); };
  switch (dtype()) {
    case DType::f32:
      return widen(to_vector<float>());
    case DType::f64:
      return to_vector<double>();
    case DType::i64:
      return widen(to_vector<std::int64_t>());
    case DType::i32:
      return widen(to_vector<std::int32_t>());
    case DType::bf16: {
      std::vector<double> wide;
      for (const Bf16 x : to_vector<Bf16>()) wide.push_back(limulus::widen(x));
      return wide;
    }
  }
  throw DTypeError("tensor: unknown type");
}

}  // namespace limulus

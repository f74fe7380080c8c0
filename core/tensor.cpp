#include "core/tensor.h"

#include <fmt/core.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "core/autograd.h"
#include "core/buffer_pool.h"
#include "core/error.h"

namespace limulus {
namespace {

thread_local bool recording_on = true;
thread_local std::optional<double> poison;

std::size_t bytes_of(const Shape& shape, DType dtype) {
  const auto count = static_cast<std::size_t>(shape.numel());
  if (count > std::numeric_limits<std::size_t>::max() / 2 / size_of(dtype))
    throw ShapeError(fmt::format("tensor: shape {} has too many elements", shape.str()));
  return count * size_of(dtype);
}

void refuse_change_of_recorded(const TensorImpl& t, const char* what) {
  if (NoGrad::recording() && t.requires_grad)
    throw GraphError(fmt::format(
        "{}: this tensor {} takes part in a gradient, and changing it in place would make that "
        "gradient wrong; change it under a NoGrad scope, or work on detach().clone()",
        what, t.shape.str()));
}

// A whole number of type T: the fraction is cut off, and what T cannot hold is refused. (C++ leaves
// open what such a conversion gives.)
template <class T>
T whole(double value, const char* what) {
  constexpr double limit = -static_cast<double>(std::numeric_limits<T>::min());  // 2^31 or 2^63
  if (const double cut = std::trunc(value); !(cut >= -limit && cut < limit))
    throw ValueError(
        fmt::format("{}: {:.17g} is no value of {}, which holds whole numbers of {} to {}", what,
                    value, sizeof(T) == 4 ? "i32" : "i64", std::numeric_limits<T>::min(),
                    std::numeric_limits<T>::max()));
  return static_cast<T>(value);
}

// The fill primitive is for floating-point tensors; labels and indices are filled on the host.
void fill_values(const TensorImpl& t, double value) {
  Backend& backend = t.storage->backend;
  const std::int64_t n = t.shape.numel();
  const auto upload = [&]<class T>(T v) {
    const std::vector<T> values(static_cast<std::size_t>(n), v);
    backend.upload(t.storage->data, values.data(), values.size() * sizeof(T));
  };
  switch (t.dtype) {
    case DType::f32:
    case DType::f64:
      return backend.fill(t.dtype, n, value, t.storage->data);
    case DType::i64:
      return upload(whole<std::int64_t>(value, "fill"));
    case DType::i32:
      return upload(whole<std::int32_t>(value, "fill"));
    case DType::bf16:
      return upload(round_to_bf16(static_cast<float>(value)));
  }
}

}  // namespace

// ---- storage --------------------------------------------------------------------------------

Storage::Storage(Backend& b, std::size_t n) : backend(b), bytes(n), data(b.pool().take(n)) {}
Storage::Storage(Backend& b, std::size_t n, void* there, std::shared_ptr<const void> owner)
    : backend(b), bytes(n), data(there), owner_(std::move(owner)) {}
Storage::~Storage() {
  if (owner_ == nullptr) backend.pool().give(data, bytes);
}

// ---- making one -----------------------------------------------------------------------------

Tensor Tensor::empty(const Shape& shape, DType dtype, Backend& backend) {
  auto impl = std::make_shared<TensorImpl>();
  impl->storage = std::make_shared<Storage>(backend, bytes_of(shape, dtype));
  impl->shape = shape;
  impl->dtype = dtype;
  if (poison && (dtype == DType::f32 || dtype == DType::f64))
    backend.fill(dtype, shape.numel(), *poison, impl->storage->data);
  return Tensor(std::move(impl));
}

Tensor Tensor::full(const Shape& shape, double value, DType dtype, Backend& backend) {
  Tensor t = empty(shape, dtype, backend);
  fill_values(*t.impl_, value);
  return t;
}

Tensor Tensor::from_host(const void* values, std::int64_t count, DType dtype, const Shape& shape,
                         Backend& backend) {
  if (count != shape.numel())
    throw ShapeError(fmt::format("Tensor::from: {} values do not fill shape {}, which has {}",
                                 count, shape.str(), shape.numel()));
  Tensor t = empty(shape, dtype, backend);
  backend.upload(t.impl_->storage->data, values, t.bytes());
  return t;
}

Tensor Tensor::on_memory(void* values, std::shared_ptr<const void> owner, DType dtype,
                         const Shape& shape, Backend& backend) {
  if (!backend.host_memory())
    throw DeviceError("Tensor::on_memory: " + backend.name() +
                      " computes in memory of its own; copy the values there with from_host");
  auto impl = std::make_shared<TensorImpl>();
  impl->storage =
      std::make_shared<Storage>(backend, bytes_of(shape, dtype), values, std::move(owner));
  impl->shape = shape;
  impl->dtype = dtype;
  return Tensor(std::move(impl));
}

// ---- what it is -----------------------------------------------------------------------------

const TensorImpl& Tensor::get() const {
  if (!impl_)
    throw GraphError(
        "tensor: this handle is undefined (default-constructed, or the gradient of a tensor that "
        "backward() never reached)");
  return *impl_;
}

const Shape& Tensor::shape() const { return get().shape; }
DType Tensor::dtype() const { return get().dtype; }
Backend& Tensor::backend() const { return get().storage->backend; }
std::size_t Tensor::bytes() const { return bytes_of(get().shape, get().dtype); }
const void* Tensor::data() const { return get().storage->data; }

void* Tensor::mutable_data() {
  get();
  ++impl_->storage->version;
  return impl_->storage->data;
}

bool Tensor::unique() const {
  return impl_ && impl_.use_count() == 1 && impl_->storage.use_count() == 1;
}

// ---- values ---------------------------------------------------------------------------------

void* Tensor::checked_mutable_data(DType wanted) {
  refuse_change_of_recorded(get(), "mutable_values");
  checked_data(wanted);
  return mutable_data();
}

double Tensor::item() const {
  if (numel() != 1)
    throw ShapeError(
        fmt::format("item: a tensor of shape {} has {} values, not one", shape().str(), numel()));
  return to_doubles()[0];
}

Tensor& Tensor::fill_(double value) {
  refuse_change_of_recorded(get(), "fill_");
  mutable_data();  // counts the change
  fill_values(*impl_, value);
  return *this;
}

Tensor& Tensor::copy_(const Tensor& source) {
  refuse_change_of_recorded(get(), "copy_");
  if (source.shape() != shape() || source.dtype() != dtype())
    throw ShapeError(fmt::format("copy_: source is {} {} but the target is {} {}",
                                 name_of(source.dtype()), source.shape().str(), name_of(dtype()),
                                 shape().str()));
  copy_values(source, *this);
  return *this;
}

Tensor& Tensor::adopt_(const Tensor& source) {
  refuse_change_of_recorded(get(), "adopt_");
  check_same_place("adopt_", *this, source);
  if (source.shape() != shape())
    throw ShapeError(fmt::format("adopt_: source is {} but the target is {}", source.shape().str(),
                                 shape().str()));
  impl_->storage = source.impl_->storage;
  return *this;
}

Tensor& Tensor::store_as_bf16_() {
  refuse_change_of_recorded(get(), "store_as_bf16_");
  if (dtype() != DType::f32)
    throw DTypeError(
        fmt::format("store_as_bf16_: only f32 can be stored so, not {}", name_of(dtype())));
  const std::vector<float> values = to_vector<float>();
  std::vector<Bf16> rounded(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) rounded[i] = round_to_bf16(values[i]);
  impl_->storage = from(rounded, shape(), backend()).impl_->storage;
  impl_->dtype = DType::bf16;
  impl_->requires_grad = false;
  impl_->grad = Tensor();
  return *this;
}

// ---- the same values, otherwise -------------------------------------------------------------

Tensor Tensor::view(const Shape& new_shape) const {
  if (new_shape.numel() != numel())
    throw ShapeError(fmt::format("reshape: {} has {} values but {} needs {}", shape().str(),
                                 numel(), new_shape.str(), new_shape.numel()));
  auto impl = std::make_shared<TensorImpl>();
  impl->storage = get().storage;
  impl->shape = new_shape;
  impl->dtype = dtype();
  return Tensor(std::move(impl));
}

Tensor Tensor::detach() const { return view(shape()); }

Tensor Tensor::clone() const {
  Tensor copy = empty(shape(), dtype(), backend());
  copy_values(*this, copy);
  return copy;
}

Tensor Tensor::to_dtype(DType wanted) const {
  if (wanted == dtype()) return clone();
  const std::vector<double> values = to_doubles();
  const auto narrow = [&]<class T>(T) {
    std::vector<T> converted;
    converted.reserve(values.size());
    for (const double x : values)
      if constexpr (std::is_integral_v<T>)
        converted.push_back(whole<T>(x, "to_dtype"));
      else
        converted.push_back(static_cast<T>(x));
    return from(converted, shape(), backend());
  };
  switch (wanted) {
    case DType::f32:
      return narrow(float{});
    case DType::f64:
      return narrow(double{});
    case DType::i64:
      return narrow(std::int64_t{});
    case DType::i32:
      return narrow(std::int32_t{});
    case DType::bf16: {
      std::vector<Bf16> rounded;
      for (const double x : values) rounded.push_back(round_to_bf16(static_cast<float>(x)));
      return from(rounded, shape(), backend());
    }
  }
  throw DTypeError("to_dtype: unknown type");
}

// ---- gradients ------------------------------------------------------------------------------

bool Tensor::requires_grad() const { return get().requires_grad; }
bool Tensor::is_leaf() const { return get().op == nullptr; }
Tensor Tensor::grad() const { return get().grad; }

Tensor& Tensor::set_requires_grad(bool on) {
  if (dtype() != DType::f32 && dtype() != DType::f64)
    throw DTypeError(fmt::format("set_requires_grad: only f32 and f64 have gradients, not {}",
                                 name_of(dtype())));
  if (!is_leaf())
    throw GraphError("set_requires_grad: this tensor was computed by '" +
                     std::string(impl_->op->name()) + "'; only leaves can be set (use detach())");
  impl_->requires_grad = on;
  return *this;
}

void Tensor::set_grad(Tensor grad) {
  get();
  if (grad.defined() && (grad.shape() != shape() || grad.dtype() != dtype()))
    throw ShapeError(fmt::format("set_grad: gradient is {} {} but the tensor is {} {}",
                                 name_of(grad.dtype()), grad.shape().str(), name_of(dtype()),
                                 shape().str()));
  impl_->grad = std::move(grad);
}

void Tensor::backward() const {
  if (numel() != 1)
    throw ShapeError(fmt::format(
        "backward: this tensor has shape {}; only one value (a loss) has a gradient of its own: "
        "call sum() or mean() first, or give backward(dy) a dy of this shape",
        shape().str()));
  run_backward(*this, full(shape(), 1, dtype(), backend()));
}

void Tensor::backward(const Tensor& dy) const { run_backward(*this, dy); }

// ---- scopes ---------------------------------------------------------------------------------

NoGrad::NoGrad() : Scoped(recording_on, false) {}
bool NoGrad::recording() { return recording_on; }

PoisonEmpty::PoisonEmpty(double value) : Scoped(poison, value) {}

}  // namespace limulus

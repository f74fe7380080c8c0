#pragma once
// Tensor: a cheap handle on a dense array, and on the operation that made it.
//
// Copying a Tensor copies the handle: both see the same values, gradient and history. Arrays are
// contiguous and row-major, images are [N, C, H, W]. Arithmetic lives in core/algebra.h, layers in
// layers/; what happens in backward() is told in core/autograd.h.
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include "core/backend.h"
#include "core/dtype.h"
#include "core/scoped.h"
#include "core/shape.h"

namespace limulus {

class Op;
struct TensorImpl;

// The memory under a tensor; views (reshape, detach) share it. `version` counts in-place changes.
struct Storage {
  Storage(Backend& b, std::size_t n);  // takes n bytes from the backend's pool
  // n bytes that are there already (a mapped file), and last as long as `owner` does.
  Storage(Backend& b, std::size_t n, void* there, std::shared_ptr<const void> owner);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  Backend& backend;
  std::size_t bytes;
  void* data;
  std::uint64_t version = 0;

 private:
  std::shared_ptr<const void> owner_;  // null: the memory is the pool's
};

class Tensor {
 public:
  Tensor() = default;  // undefined: no array; tells apart "no gradient" from a gradient of zeros

  // -- making one --------------------------------------------------------------------------------
  static Tensor empty(const Shape& shape, DType dtype, Backend& backend);  // values unspecified
  static Tensor full(const Shape& shape, double value, DType dtype, Backend& backend);
  static Tensor zeros(const Shape& shape, DType dtype, Backend& backend) {
    return full(shape, 0, dtype, backend);
  }
  // From values on the host, in row-major order: a std::vector, std::array, std::span or array, or
  // in braces, whose type is said where they are whole numbers: Tensor::from<float>({1, 2, 3},
  // ...). ShapeError when their number is not shape.numel().
  template <class T>
  static Tensor from(const std::vector<T>& values, const Shape& shape, Backend& backend) {
    if constexpr (check_element<T>())
      return from_host(values.data(), static_cast<std::int64_t>(values.size()), dtype_of<T>, shape,
                       backend);
    else
      return {};
  }
  template <class T>
  static Tensor from(std::initializer_list<T> values, const Shape& shape, Backend& backend);
  template <class T>
  static Tensor from(std::initializer_list<std::initializer_list<T>> rows, const Shape& shape,
                     Backend& backend);  // does not compile, and says why
  template <class Values>
  requires(!is_element<Values>) static Tensor
      from(const Values& values, const Shape& shape, Backend& backend);
  static Tensor from_host(const void* values, std::int64_t count, DType dtype, const Shape& shape,
                          Backend& backend);
  // On memory that is there already, and lasts as long as `owner` does. DeviceError where the
  // backend's buffers are not host memory.
  static Tensor on_memory(void* values, std::shared_ptr<const void> owner, DType dtype,
                          const Shape& shape, Backend& backend);

  // -- what it is --------------------------------------------------------------------------------
  bool defined() const { return impl_ != nullptr; }
  const Shape& shape() const;
  std::int64_t size(int axis) const { return shape()[axis]; }
  std::int64_t numel() const { return shape().numel(); }
  DType dtype() const;
  Backend& backend() const;
  std::size_t bytes() const;

  // -- its values --------------------------------------------------------------------------------
  // Copies to the host; DTypeError when T is not the tensor's type.
  template <class T>
  std::vector<T> to_vector() const {
    if constexpr (check_element<T>()) {
      std::vector<T> values(static_cast<std::size_t>(numel()));
      copy_to_host(values.data(), dtype_of<T>);
      return values;
    } else {
      return {};
    }
  }
  // The values where they are, in row-major order: for (float v : x.values<float>()). DTypeError
  // when T is not the tensor's type, DeviceError where they are not in host memory. A span does not
  // keep the memory, so the tensor has to have a name.
  template <class T>
  std::span<const T> values() const& {
    if constexpr (check_element<T>())
      return {static_cast<const T*>(checked_data(dtype_of<T>)), static_cast<std::size_t>(numel())};
    else
      return {};
  }
  // The same for writing: an in-place change, which backward checks for. GraphError while the
  // tensor is recorded for a gradient, as with fill_.
  template <class T>
  std::span<T> mutable_values() & {
    if constexpr (check_element<T>())
      return {static_cast<T*>(checked_mutable_data(dtype_of<T>)),
              static_cast<std::size_t>(numel())};
    else
      return {};
  }
  template <class T>
  std::span<const T> values() const&&;  // do not compile, and say why
  template <class T>
  std::span<T> mutable_values() &&;
  std::vector<double> to_doubles() const;  // from any type
  double item() const;                     // the value of a tensor with one element
  // For backends and layers: the backend's buffer, which need not be a host address, as a primitive
  // takes it; nothing is checked. The second counts as an in-place change.
  const void* data() const;
  void* mutable_data();

  // In-place changes. GraphError while the tensor is recorded for a gradient (use NoGrad to set
  // weights on purpose).
  Tensor& fill_(double value);
  Tensor& copy_(const Tensor& source);  // same shape and type, any backend
  // From now on the values are those in `source`'s memory, for all handles on this tensor; nothing
  // is copied. Same shape, type and backend.
  Tensor& adopt_(const Tensor& source);
  // From now on the values are stored as bf16, rounded, for all handles on this f32 tensor, and
  // have no gradient: half the memory for a weight that is only read (Linear's, core/backend.h).
  Tensor& store_as_bf16_();

  // -- the same values, otherwise ----------------------------------------------------------------
  Tensor detach() const;                  // shares values, forgets history
  Tensor clone() const;                   // new values, forgets history
  Tensor to_dtype(DType wanted) const;    // through the host; ValueError: an i32 cannot hold it
  Tensor view(const Shape& shape) const;  // shares values; see reshape() in core/algebra.h

  // -- gradients ---------------------------------------------------------------------------------
  bool requires_grad() const;
  Tensor& set_requires_grad(bool on = true);  // leaves only
  bool is_leaf() const;                       // not made by a recorded operation
  Tensor grad() const;                        // undefined until backward reached this leaf
  void set_grad(Tensor grad);
  void zero_grad() { set_grad(Tensor()); }
  // Adds d(this)/d(leaf) to the grad of every leaf that requires it. Without dy the tensor must
  // have one element (a loss), and dy = 1.
  void backward() const;
  void backward(const Tensor& dy) const;

  // Whether this handle is the only one on its values: they may be reused.
  bool unique() const;

  const std::shared_ptr<TensorImpl>& impl() const { return impl_; }

 private:
  explicit Tensor(std::shared_ptr<TensorImpl> impl) : impl_(std::move(impl)) {}
  template <class T>
  static constexpr bool check_element();
  void copy_to_host(void* values, DType wanted) const;
  const void* checked_data(DType wanted) const;
  void* checked_mutable_data(DType wanted);
  const TensorImpl& get() const;  // GraphError when undefined

  std::shared_ptr<TensorImpl> impl_;
};

// "Tensor [2, 3] f32 on cpu" and the values below it as NumPy prints them: of more than 1,000 the
// first and last three along each axis. Values in a device's memory are copied from there.
std::ostream& operator<<(std::ostream& out, const Tensor& t);

struct TensorImpl {
  std::shared_ptr<Storage> storage;
  Shape shape;
  DType dtype = DType::f32;
  bool requires_grad = false;
  Tensor grad;
  std::shared_ptr<Op> op;  // what made it, when that was recorded
};

// While one lives, operations on this thread are not recorded.
class NoGrad : Scoped<bool> {
 public:
  NoGrad();
  static bool recording();
};

// While one lives, Tensor::empty fills floating-point tensors with NaN (or another value), so that
// an element which a kernel forgets to write cannot go unnoticed. Used by the gradient checks.
class PoisonEmpty : Scoped<std::optional<double>> {
 public:
  explicit PoisonEmpty(double value = std::numeric_limits<double>::quiet_NaN());
};

}  // namespace limulus

#include "core/tensor_templates.h"

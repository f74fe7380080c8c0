#include "layers/packed_weight.h"

namespace limulus {

std::shared_ptr<const Storage> PackedWeight::of(const Tensor& weight, const Conv2dShape& s) {
  if (NoGrad::recording()) return nullptr;
  Backend& backend = weight.backend();
  const std::size_t bytes = backend.conv2d_packed_bytes(weight.dtype(), s);
  if (bytes == 0) return nullptr;
  const std::lock_guard lock(mutex_);
  const std::shared_ptr<Storage>& now = weight.impl()->storage;
  if (packed_ == nullptr || source_ != now || version_ != now->version || shape_ != s) {
    packed_ = nullptr;  // first, so that the new one may take its memory
    packed_ = std::make_shared<Storage>(backend, bytes);
    backend.conv2d_pack(weight.dtype(), s, weight.data(), packed_->data);
    source_ = now;
    version_ = now->version;
    shape_ = s;
  }
  return packed_;
}

}  // namespace limulus

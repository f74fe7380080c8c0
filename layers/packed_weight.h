#pragma once
// A convolution's weights as its kernel reads them, kept between calls.
//
// Winograd's method reads many filters side by side, where a weight has them one after the other.
// To put them in order is a small part of the work for a batch and a large one for a single image.
// While nothing is learned the weights stay as they are, so the ordered ones can stay, too;
// training changes them at every step, and nothing is kept then.
#include <cstdint>
#include <memory>
#include <mutex>

#include "core/tensor.h"

namespace limulus {

class PackedWeight {
 public:
  // The packed weights for a convolution of this shape, made when they are not there yet, or were
  // made for another shape, or `weight` was changed or replaced since (its storage and version
  // tell). Null while gradients are recorded, and where the kernel reads weights as they are.
  // Several threads may ask at once.
  std::shared_ptr<const Storage> of(const Tensor& weight, const Conv2dShape& s);

 private:
  std::mutex mutex_;
  std::shared_ptr<Storage> source_;  // keeps the address from being given to another tensor
  std::uint64_t version_ = 0;
  Conv2dShape shape_;
  std::shared_ptr<Storage> packed_;
};

}  // namespace limulus

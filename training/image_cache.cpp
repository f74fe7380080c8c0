#include "training/image_cache.h"

#include <utility>

namespace limulus {

ImageCache::ImageCache(ImageSet set, Prepare prepare, std::size_t limit)
    : set_(std::move(set)), prepare_(prepare), limit_(limit) {
  kept_.resize(static_cast<std::size_t>(set_.size()));
}

std::shared_ptr<const Image> ImageCache::get(std::int64_t i) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto& kept = kept_.at(static_cast<std::size_t>(i))) return kept;
  }
  // Two threads may decode one image at the same time; the result is the same.
  auto image = std::make_shared<const Image>(prepare(set_.load(i, prepare_.short_side), prepare_));
  const std::size_t size = image->rgb.size();
  const std::lock_guard lock(mutex_);
  auto& kept = kept_[static_cast<std::size_t>(i)];
  if (!kept && size <= limit_ - bytes_) {
    kept = image;
    bytes_ += size;
  }
  return image;
}

std::size_t ImageCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace limulus

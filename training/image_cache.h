#pragma once
// Prepared images, kept once decoded. Every epoch wants all of them, and decoding a 256 x 256 JPEG
// takes 0.55 ms, one of 4096 x 3072 takes 27 to 140 ms (jpeg_scaled.h), where augmenting what was
// kept takes 0.1 to 0.2 ms (EPYC, Zen 5).
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "training/augment.h"
#include "training/dataset.h"

namespace limulus {

class ImageCache {
 public:
  // Keeps images up to `limit` bytes in all (5,461 of 256 x 256) and never drops one: an epoch asks
  // for each image once, in an order that never repeats, so no rule of replacement would find more
  // of them.
  explicit ImageCache(ImageSet set, Prepare prepare = {}, std::size_t limit = std::size_t{1} << 30);

  const ImageSet& set() const { return set_; }
  const Prepare& options() const { return prepare_; }
  std::int64_t size() const { return set_.size(); }

  // May be called by many threads. Throws what ImageSet::load throws.
  std::shared_ptr<const Image> get(std::int64_t i);

  std::size_t bytes() const;

 private:
  ImageSet set_;
  Prepare prepare_;
  std::size_t limit_;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<const Image>> kept_;
  std::size_t bytes_ = 0;
};

}  // namespace limulus

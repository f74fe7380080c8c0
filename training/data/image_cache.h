#pragma once
// Prepared images, kept once decoded. Every epoch needs all of them. Decoding a 256 x 256 JPEG
// takes 0.55 ms, one of 4096 x 3072 27 to 140 ms, and checking them first takes 0.06 ms and 6 to 25
// ms (jpeg_scaled.h). Augmenting a kept image takes 0.1 to 0.2 ms (EPYC, Zen 5).
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "core/at_fork.h"
#include "training/data/augment.h"
#include "training/data/dataset.h"

namespace limulus {

class ImageCache {
 public:
  // Keeps images up to `limit` bytes in all (5,461 of 256 x 256) and never drops one: an epoch asks
  // for each image once, in an order that never repeats, so no rule of replacement would find more
  // of them. `smallest`: the side of the part that the network looks at; a prepared image that is
  // smaller cannot be used.
  explicit ImageCache(ImageSet set, Prepare prepare = {}, std::size_t limit = std::size_t{1} << 30,
                      int smallest = 0);

  const ImageSet& set() const { return set_; }
  const Prepare& options() const { return prepare_; }
  std::int64_t size() const { return set_.size(); }

  // May be called by many threads. FileError, naming it, for an image that cannot be used: that is
  // found out once, and stays so for as long as the cache lives.
  std::shared_ptr<const Image> get(std::int64_t i);

  // Tries at most `limit` images, evenly spaced, so that those which cannot be used are known.
  void try_all(std::int64_t limit, int threads);

  // The images that could not be used so far, by index. Whoever counts or lists them asks here.
  std::map<std::int64_t, Skipped> skipped() const;

  std::size_t bytes() const;  // of the images that are kept
  std::size_t limit() const { return limit_; }

 private:
  ImageSet set_;
  Prepare prepare_;
  std::size_t limit_;
  int smallest_;
  mutable std::mutex mutex_;
  AtFork at_fork_{AtFork::Stage::memory, mutex_};
  std::vector<std::shared_ptr<const Image>> kept_;
  std::size_t bytes_ = 0;
  std::map<std::int64_t, Skipped> skipped_;
};

// Which `limit` of `size` images are looked at when not all are: evenly spaced ones.
inline std::int64_t evenly_spaced(std::int64_t i, std::int64_t count, std::int64_t size) {
  return i * size / count;  // fits in 64 bits for any real set
}
// The set, or `most` images of a larger one.
ImageSet evenly_spaced(const ImageSet& set, std::int64_t most);

}  // namespace limulus

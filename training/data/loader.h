#pragma once
// Batches of images, made ahead of time by worker threads.
//
// Which images a batch holds, in which order and how each is augmented follow from (seed, epoch,
// batch) alone. So the batches are the same for any number of workers, and a run that is resumed in
// the middle of an epoch with start(epoch, batch) goes on as if it had never stopped.
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "training/data/augment.h"
#include "training/data/image_cache.h"

namespace limulus {

struct LoaderOptions {
  std::int64_t batch = 32;
  bool shuffle = true;                   // a new order in every epoch
  std::int64_t shuffle_buffer = 10'000;  // of a set in shards: pictures (training/data/shards.h)
  bool drop_last = false;                // leave out a last batch that is not full
  int workers = 1;   // 0: batches are made when they are asked for, in the caller's thread
  int prefetch = 3;  // how many batches may be ready or in work at one time
  std::uint64_t seed = 0;
  bool strict = false;  // an image that cannot be used is an error; otherwise left out and listed
  // Each batch is cut into so many pieces of about the same size, and this loader makes the pieces
  // [first_piece, end_piece) alone: its share, where several ranks train together.
  std::int64_t pieces = 1, first_piece = 0, end_piece = 1;
};

struct Batch {
  std::int64_t index = 0;  // within the epoch, from 0
  std::int64_t size = 0;   // N: images in it
  int views = 1;           // 10 with ten_crop: the views of one image follow each other
  int channels = 0, side = 0;
  std::vector<float> images;          // [N * views, channels, side, side]
  std::vector<std::int64_t> labels;   // [N]
  std::vector<std::int64_t> sources;  // [N]: which image of the set
  std::vector<std::int64_t> pieces;   // how many of the N images are of each piece
};

class Loader {
 public:
  // Loaders may share a cache (training and its statistics, say).
  Loader(std::shared_ptr<ImageCache> images, Augment augment, Normalization normalization,
         LoaderOptions options = {});
  ~Loader();  // stops the workers, at any moment
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  std::int64_t batches() const;  // in an epoch

  // Begins an epoch at one of its batches; whatever was in work is dropped.
  void start(std::int64_t epoch, std::int64_t first_batch = 0);

  // The next batch of the epoch; false after the last. Memory that `batch` holds is used again. An
  // exception of a worker comes out here, at the batch that it belongs to. A batch without a usable
  // image is skipped, but not a share of a batch: other shares may have some.
  bool next(Batch& batch);

  // Images that could not be used so far, by index: unreadable (the cache knows), or of a size that
  // does not fit this loader's crop or mean image.
  std::map<std::int64_t, Skipped> skipped() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace limulus

#include "training/data/loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <numeric>
#include <optional>
#include <thread>
#include <utility>

#include "core/at_fork.h"
#include "core/error.h"
#include "training/data/shards.h"

namespace limulus {

struct Loader::Impl {
  // Fixed after construction.
  std::shared_ptr<ImageCache> images;
  Augment augment_options;
  Normalization normalization;
  LoaderOptions options;

  // The epoch; written by start() only while no worker runs.
  std::int64_t epoch = 0;
  std::int64_t first_batch = 0;           // of this start
  std::vector<std::int64_t> order;        // of pictures; or
  std::optional<ShardOrder> shard_order;  // of a set in shards that is shuffled

  // Everything below is guarded by the mutex. A worker takes the number of the next unclaimed
  // batch, makes the batch without holding the lock, and puts it on the shelf under that number;
  // the consumer waits for exactly the number that is due. Hence the order is always the same.
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::int64_t claimed = 0;    // the next batch to be made
  std::int64_t delivered = 0;  // the next batch to be handed out
  bool started = false;
  bool stopping = false;
  struct Made {
    Batch batch;
    std::exception_ptr failure;
  };
  std::map<std::int64_t, Made> shelf;
  std::vector<Batch> spare;  // memory for batches to come
  std::map<std::int64_t, Skipped> misfits;
  std::vector<std::jthread> workers;

  // The child of a fork makes the batches that are due with workers of its own: those that the
  // parent's workers had in work will not come.
  AtFork at_fork{AtFork::Stage::work,
                 {.before = [this] { mutex.lock(); },
                  .parent = [this] { mutex.unlock(); },
                  .child =
                      [this] {
                        for (std::jthread& worker : workers) std::construct_at(&worker);
                        workers.clear();
                        std::construct_at(&changed);
                        shelf.clear();
                        claimed = delivered;
                        mutex.unlock();
                      }}};

  void start_workers() {
    while (std::cmp_less(workers.size(), options.workers)) workers.emplace_back([this] { work(); });
  }

  std::int64_t batches() const {
    const std::int64_t n = images->size();
    return options.drop_last ? n / options.batch : (n + options.batch - 1) / options.batch;
  }

  void make(std::int64_t index, Batch& batch) {
    const std::int64_t first = index * options.batch;
    const std::int64_t images_in_batch = std::min(options.batch, images->size() - first);
    const auto begin_of = [&](std::int64_t piece) {
      return first + images_in_batch * piece / options.pieces;
    };
    const std::int64_t begin = begin_of(options.first_piece), end = begin_of(options.end_piece);
    const std::vector<std::int64_t>& sources = shard_order ? shard_order->pictures() : order;
    if (shard_order)
      shard_order->read_ahead(images->set(), begin, end, index == first_batch);
    else if (!options.shuffle)
      images->set().read_ahead(begin, end);
    batch.index = index;
    batch.views = views(augment_options);
    batch.channels = augment_options.channels;
    batch.side = augment_options.crop;
    batch.labels.clear();
    batch.sources.clear();
    batch.pieces.assign(static_cast<std::size_t>(options.end_piece - options.first_piece), 0);
    std::int64_t piece = options.first_piece;
    const std::size_t each =
        static_cast<std::size_t>(batch.views) * batch.channels * batch.side * batch.side;
    batch.images.resize(static_cast<std::size_t>(end - begin) * each);
    for (std::int64_t i = begin; i < end; ++i) {
      while (i >= begin_of(piece + 1)) ++piece;
      const std::int64_t source = sources[static_cast<std::size_t>(i)];
      std::shared_ptr<const Image> image;
      try {
        image = images->get(source);
      } catch (const FileError&) {  // the cache lists it
        if (options.strict) throw;
        continue;
      }
      if (const std::string why = misfit(*image, augment_options, normalization); !why.empty()) {
        const Skipped skip{images->set().name(source), why, SkipRule::wrong_size};
        if (options.strict) throw FileError(text_of(skip));
        const std::lock_guard lock(mutex);
        misfits.try_emplace(source, skip);
        continue;
      }
      const PhiloxKey key =
          random_key(options.seed, RandomPurpose::augment, static_cast<std::uint64_t>(epoch),
                     static_cast<std::uint64_t>(source));
      augment(*image, key, augment_options, normalization,
              batch.images.data() + batch.labels.size() * each);
      batch.labels.push_back(images->set().label(source));
      batch.sources.push_back(source);
      ++batch.pieces[static_cast<std::size_t>(piece - options.first_piece)];
    }
    batch.size = static_cast<std::int64_t>(batch.labels.size());
    batch.images.resize(batch.labels.size() * each);
  }

  Batch take_spare() {
    if (spare.empty()) return {};
    Batch batch = std::move(spare.back());
    spare.pop_back();
    return batch;
  }

  void work() {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [&] {
        return stopping || (claimed < batches() && claimed < delivered + options.prefetch);
      });
      if (stopping) return;
      const std::int64_t index = claimed++;
      Made made{take_spare(), nullptr};
      lock.unlock();
      try {
        make(index, made.batch);
      } catch (...) {
        made.failure = std::current_exception();
      }
      lock.lock();
      shelf.emplace(index, std::move(made));
      changed.notify_all();
    }
  }

  void stop() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    changed.notify_all();
    workers.clear();  // joins
    stopping = false;
    for (auto& [index, made] : shelf) spare.push_back(std::move(made.batch));
    shelf.clear();
  }
};

Loader::Loader(std::shared_ptr<ImageCache> images, Augment augment, Normalization normalization,
               LoaderOptions options)
    : impl_(std::make_unique<Impl>()) {
  check(augment, normalization);
  if (!images) throw ValueError("loader: no images");
  if (options.batch < 1 || options.workers < 0 || options.prefetch < 1) {
    throw ValueError(
        fmt::format("loader: batch {}, workers {}, prefetch {}: needs at least 1, 0, 1",
                    options.batch, options.workers, options.prefetch));
  }
  impl_->images = std::move(images);
  impl_->augment_options = augment;
  impl_->normalization = std::move(normalization);
  impl_->options = options;
}

Loader::~Loader() { impl_->stop(); }

std::int64_t Loader::batches() const { return impl_->batches(); }

void Loader::start(std::int64_t epoch, std::int64_t first_batch) {
  Impl& l = *impl_;
  if (epoch < 0 || first_batch < 0 || first_batch > l.batches()) {
    throw ValueError(
        fmt::format("loader: start at epoch {}, batch {} of {}", epoch, first_batch, l.batches()));
  }
  l.stop();
  l.epoch = epoch;
  l.first_batch = first_batch;
  const auto key = [&](std::uint64_t n) {
    return random_key(l.options.seed, RandomPurpose::shuffle, static_cast<std::uint64_t>(epoch), n);
  };
  if (l.options.shuffle && l.images->set().in_shards()) {
    l.shard_order.emplace(l.images->set(), key(0), key(1), l.options.shuffle_buffer);
  } else if (l.options.shuffle) {
    l.order = random_permutation(l.images->size(), key(0));
  } else {
    l.order.resize(static_cast<std::size_t>(l.images->size()));
    std::iota(l.order.begin(), l.order.end(), std::int64_t{0});
  }
  l.claimed = l.delivered = first_batch;
  l.started = true;
  l.start_workers();
}

bool Loader::next(Batch& batch) {
  Impl& l = *impl_;
  if (!l.started) throw ValueError("loader: next() before start()");
  do {
    if (l.delivered >= l.batches()) return false;
    if (l.options.workers == 0) {
      l.make(l.delivered++, batch);
      continue;
    }
    l.start_workers();  // in the child of a fork
    std::unique_lock lock(l.mutex);
    l.changed.wait(lock, [&] { return l.shelf.contains(l.delivered); });
    auto made = l.shelf.extract(l.delivered);
    std::swap(batch, made.mapped().batch);
    l.spare.push_back(std::move(made.mapped().batch));
    ++l.delivered;
    lock.unlock();
    l.changed.notify_all();
    if (made.mapped().failure) std::rethrow_exception(made.mapped().failure);
  } while (batch.size == 0 && l.options.end_piece - l.options.first_piece == l.options.pieces);
  return true;
}

std::map<std::int64_t, Skipped> Loader::skipped() const {
  std::map<std::int64_t, Skipped> all = impl_->images->skipped();
  const std::lock_guard lock(impl_->mutex);
  all.insert(impl_->misfits.begin(), impl_->misfits.end());
  return all;
}

}  // namespace limulus

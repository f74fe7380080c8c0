#include "training/data/image_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <new>
#include <thread>
#include <utility>

#include "core/error.h"

namespace limulus {
namespace {

// "name: reason" without the name, which an entry has by itself.
std::string without_name(const std::string& message, const std::string& name) {
  return message.starts_with(name + ": ") ? message.substr(name.size() + 2) : message;
}

}  // namespace

ImageCache::ImageCache(ImageSet set, Prepare prepare, std::size_t limit, int smallest)
    : set_(std::move(set)), prepare_(prepare), limit_(limit), smallest_(smallest) {
  kept_.resize(static_cast<std::size_t>(set_.size()));
}

std::shared_ptr<const Image> ImageCache::get(std::int64_t i) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto& kept = kept_.at(static_cast<std::size_t>(i))) return kept;
    if (const auto known = skipped_.find(i); known != skipped_.end())
      throw FileError(text_of(known->second));
  }
  // Two threads may decode one image at the same time; the result is the same.
  std::shared_ptr<const Image> image;
  Skipped why{"", "", SkipRule::unreadable};
  try {
    image = std::make_shared<const Image>(prepare(set_.load(i, prepare_.short_side), prepare_));
    if (std::min(image->width, image->height) < smallest_) {
      why.name = set_.name(i);
      why.rule = SkipRule::wrong_size;
      why.reason = fmt::format("{}x{} is smaller than the crop {}x{}", image->width, image->height,
                               smallest_, smallest_);
    }
  } catch (const std::bad_alloc&) {
    throw;  // not the picture's fault
  } catch (const std::exception& error) {
    why.name = set_.name(i);
    why.reason = without_name(error.what(), why.name);
  }
  const std::lock_guard lock(mutex_);
  if (!why.reason.empty()) {
    throw FileError(text_of(skipped_.try_emplace(i, std::move(why)).first->second));
  }
  auto& kept = kept_[static_cast<std::size_t>(i)];
  if (const std::size_t size = image->rgb.size(); !kept && size <= limit_ - bytes_) {
    kept = image;
    bytes_ += size;
  }
  return image;
}

void ImageCache::try_all(std::int64_t limit, int threads) {
  const std::int64_t count = std::min(limit, size());
  std::atomic<std::int64_t> next{0};
  std::exception_ptr failure;
  const auto work = [&] {
    try {
      for (std::int64_t i = next++; i < count; i = next++) {
        try {
          get(evenly_spaced(i, count, size()));
        } catch (const FileError&) {  // get() has noted it
        }
      }
    } catch (...) {
      const std::lock_guard lock(mutex_);
      failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> others;
    for (int t = 1; t < threads; ++t) others.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
}

std::map<std::int64_t, Skipped> ImageCache::skipped() const {
  const std::lock_guard lock(mutex_);
  return skipped_;
}

std::size_t ImageCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

ImageSet evenly_spaced(const ImageSet& set, std::int64_t most) {
  if (set.size() <= most) return set;
  std::vector<std::int64_t> chosen;
  for (std::int64_t i = 0; i < most; ++i) chosen.push_back(evenly_spaced(i, most, set.size()));
  return set.subset(chosen);
}

}  // namespace limulus

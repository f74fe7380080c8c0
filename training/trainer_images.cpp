// Which images a run can use: found out before the first step, as far as that is quick, and counted
// and listed from then on, for training and held-out images alike.
#include <fmt/core.h>

#include <algorithm>
#include <iterator>

#include "backends/cpu/cpu_backend.h"
#include "core/error.h"
#include "training/data/resize.h"
#include "training/trainer.h"

namespace limulus {
namespace {

// So many images are decoded before the first step, on all cores, since nothing else runs yet.
constexpr std::int64_t kTried = 10000;

int decoding_threads(const TrainerOptions& options) {
  return std::max(cpu_default_threads(), options.workers);
}

}  // namespace

// Before the first step, this finds the images that cannot be used, and decodes the others. The
// training images give their mean at the same time.
PixelStatistics Trainer::try_images() {
  PixelStatistics pixels;
  try {
    pixels = measure_pixels(*train_images_, kTried, decoding_threads(options_));
  } catch (const FileError&) {  // not one of them can be used, as is said below
  }
  test_images_->try_all(kTried, decoding_threads(options_));
  for (const ImageCache* images : {train_images_.get(), test_images_.get()}) {
    const auto skipped = images->skipped();
    if (skipped.empty()) continue;
    const Skipped& first = skipped.begin()->second;
    if (config_.strict) throw FileError(text_of(first));
    if (images == train_images_.get() ? pixels.images == 0 : std::ssize(skipped) == images->size())
      throw FileError(fmt::format(
          "train: none of the {} {} images in {} can be used; the first is {}", skipped.size(),
          images == train_images_.get() ? "training" : "held-out", config_.data, text_of(first)));
  }
  train_skipped_ = train_images_->skipped();
  test_skipped_ = test_images_->skipped();
  check_classes();
  if (data_.test.size() == 0 && config_.schedule.kind == ScheduleKind::plateau)
    throw ValueError(
        "train: the schedule 'plateau' lowers the rate when the held-out error stops improving, "
        "but nothing is held out (each class has one image); choose another one with --schedule, "
        "or add images");
  return pixels;
}

// A class without a usable image cannot be learned.
void Trainer::check_classes() const {
  struct Class {
    std::int64_t images = 0, skipped = 0;
    const Skipped* first = nullptr;
  };
  std::vector<Class> classes(data_.classes.size());
  for (std::int64_t i = 0; i < data_.train.size(); ++i)
    ++classes[static_cast<std::size_t>(data_.train.label(i))].images;
  for (const auto& [i, skip] : train_skipped_) {
    Class& c = classes[static_cast<std::size_t>(data_.train.label(i))];
    ++c.skipped;
    if (c.first == nullptr) c.first = &skip;
  }
  for (std::size_t c = 0; c < classes.size(); ++c)
    if (classes[c].skipped > 0 && classes[c].skipped == classes[c].images)
      throw FileError(fmt::format(
          "train: none of the {} training images of class \"{}\" in {} can be used, so that it "
          "cannot be learned; the first is {}",
          classes[c].images, data_.classes[c], config_.data, text_of(*classes[c].first)));
}

std::int64_t Trainer::usable_train() const {
  return data_.train.size() - static_cast<std::int64_t>(train_skipped_.size());
}
std::int64_t Trainer::usable_test() const {
  return data_.test.size() - static_cast<std::int64_t>(test_skipped_.size());
}

std::vector<Skipped> Trainer::skipped() const {
  std::vector<Skipped> all = data_.skipped;
  const auto add = [&](const std::map<std::int64_t, Skipped>& some, const char* part) {
    for (const auto& [index, skip] : some) {
      all.push_back(skip);
      all.back().part = part;
    }
  };
  add(train_skipped_, "training");
  add(test_skipped_, "held out");
  return all;
}

std::optional<Photograph> Trainer::first_photograph() const {
  Augment shown = config_.augment;
  shown.random = shown.ten_crop = false;
  const std::int64_t side = shown.crop, channels = shown.channels;
  for (const auto& images : {test_images_, train_images_})
    for (std::int64_t i = 0; i < images->size(); ++i) {
      std::shared_ptr<const Image> prepared;
      try {
        prepared = images->get(i);
      } catch (const FileError&) {  // it is skipped, and counted elsewhere
        continue;
      }
      if (!misfit(*prepared, shown, normalization_).empty()) continue;
      std::vector<float> pixels(static_cast<std::size_t>(channels * side * side));
      augment(*prepared, {}, shown, normalization_, pixels.data());
      return Photograph{std::filesystem::path(images->set().name(i)).filename().string(),
                        images == test_images_ ? "held out" : "training", images->set().label(i),
                        crop_middle(*prepared, shown.crop, shown.crop),
                        Tensor::from(pixels, {1, channels, side, side}, backend_)};
    }
  return {};
}

void Trainer::note_skipped(const Evaluation& test) {
  train_skipped_ = loader_->skipped();
  test_skipped_ = test.skipped;
}

}  // namespace limulus

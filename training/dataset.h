#pragma once
// A labelled set of pictures, from the layouts that people have on their disks:
//
//   folders      <class>/*.jpg, or train/<class>/*.jpg beside test/ or val/<class>/*.jpg
//   Flowers-17   jpg/image_0001.jpg ... image_1360.jpg, eighty of each class
//   MNIST        train-images-idx3-ubyte[.gz] ... also Fashion-MNIST
//   CIFAR-10     data_batch_1.bin ... test_batch.bin (the "binary version")
//
// Photographs stay on disk and are decoded when asked for; MNIST and CIFAR are held in memory.
// Names are sorted by their bytes, so an index means the same picture on every machine.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "training/image.h"

namespace limulus {

// Pictures with labels, by index. Copies share what they hold; load() may be called by many
// threads.
class ImageSet {
 public:
  std::int64_t size() const { return static_cast<std::int64_t>(labels_.size()); }
  std::int64_t label(std::int64_t i) const { return labels_.at(static_cast<std::size_t>(i)); }
  std::string name(std::int64_t i) const;  // the file, or the file and the number within it
  // FileError, naming the file, when it cannot be decoded; short_side as in decode_image
  Image load(std::int64_t i, int short_side = 0) const;
  bool in_memory() const { return pixels_ != nullptr; }

  void add_file(const std::filesystem::path& path, std::int64_t label);

  // `pixels` holds one image after another, each [channels, height, width]; 1 or 3 channels.
  static ImageSet from_pixels(std::string name, std::vector<std::uint8_t> pixels,
                              std::vector<std::int64_t> labels, int channels, int height,
                              int width);

  ImageSet subset(const std::vector<std::int64_t>& indices) const;

 private:
  std::vector<std::int64_t> labels_;
  std::vector<std::string> paths_;  // of files
  std::string name_;                // of pixels in memory
  std::shared_ptr<const std::vector<std::uint8_t>> pixels_;
  std::vector<std::int64_t> position_;  // which image of pixels_
  int channels_ = 0, height_ = 0, width_ = 0;
};

struct Skipped {
  std::string name;
  std::string reason;
};

struct Dataset {
  std::string layout;  // what was recognised, in a sentence
  std::vector<std::string> classes;
  ImageSet train;
  ImageSet test;
  std::vector<Skipped> skipped;
};

struct DatasetOptions {
  // A set that comes in one piece is cut: this part of every class becomes the test set, drawn from
  // split_seed and the same in every run.
  double test_part = 0.2;
  std::uint64_t split_seed = 0;
  std::string test_folder;  // which of test, val, validation, valid; "" takes the first one found
  bool strict = false;      // an empty class or a file that is no picture: an error, not skipped
};

// Recognises the layout. FileError for a folder that is none of them: the message lists the layouts
// and what the folder holds.
Dataset open_dataset(const std::filesystem::path& folder, const DatasetOptions& options = {});

// The layouts one by one, for who knows what he has.
Dataset open_class_folders(const std::filesystem::path& folder, const DatasetOptions& options = {});
Dataset open_flowers17(const std::filesystem::path& folder, const DatasetOptions& options = {});
Dataset open_mnist(const std::filesystem::path& folder);
Dataset open_cifar10(const std::filesystem::path& folder);

// Cuts `all` in two, class by class, by options.test_part and options.split_seed.
void split_by_class(const ImageSet& all, std::int64_t classes, const DatasetOptions& options,
                    ImageSet* train, ImageSet* test);

}  // namespace limulus

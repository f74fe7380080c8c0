#pragma once
// Pictures with labels. Photographs stay on disk and are decoded when asked for; MNIST and CIFAR
// are held in memory.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "pages/pixels.h"

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
  bool in_memory() const { return !pixels_.empty(); }

  void add_file(const std::filesystem::path& path, std::int64_t label);

  // `pixels` holds one image after another, each [channels, height, width]; 1 or 3 channels.
  static ImageSet from_pixels(std::string name, std::vector<std::uint8_t> pixels,
                              std::vector<std::int64_t> labels, int channels, int height,
                              int width);

  ImageSet subset(const std::vector<std::int64_t>& indices) const;
  ImageSet joined(const ImageSet& other) const;  // these, then those; files or memory, not both

 private:
  struct Pixels {  // images in memory, one after another
    std::string name;
    std::vector<std::uint8_t> bytes;
    int channels = 0, height = 0, width = 0;
  };
  std::vector<std::int64_t> labels_;
  std::vector<std::string> paths_;                     // of files; or
  std::vector<std::shared_ptr<const Pixels>> pixels_;  // where the image is in memory,
  std::vector<std::int64_t> position_;                 // and which of them it is
};

// A number that tells sets of files apart: it follows from the class, name and size of each, in any
// order and in any folder. The number of two sets together is the sum; 0 for pixels in memory.
std::uint64_t fingerprint(const ImageSet& set, const std::vector<std::string>& classes);

}  // namespace limulus

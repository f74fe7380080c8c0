#pragma once
// Pictures with labels. Photographs stay on disk, in a file each or in shards (shards.h), and are
// decoded when asked for; MNIST and CIFAR are held in memory.
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
  // The same without decoding: the bytes of the JPEG or PNG. ValueError for pixels in memory.
  std::vector<std::uint8_t> encoded(std::int64_t i) const;
  bool in_memory() const { return !pixels_.empty(); }
  bool in_shards() const { return !places_.empty(); }

  void add_file(const std::string& path, std::int64_t label);

  // Tar files that pictures lie in, one picture after another.
  struct Shards {
    std::vector<std::filesystem::path> paths;
    std::vector<std::uint64_t> sizes;  // in bytes
  };
  struct Place {
    std::uint64_t offset = 0;  // of its header in the tar file (formats/tar.h)
    std::uint32_t shard = 0;
    // What its .cls file, right behind it, has to say whenever the picture is read; -1: not looked
    // at. For places from an index, which may be older than the shard (shard_index.h).
    std::int32_t check = -1;
  };
  // In the order of the shards, and of the files in them. A set has the same `shards` throughout.
  void add_in_shard(const std::shared_ptr<const Shards>& shards, Place place, std::int64_t label);
  std::uint32_t shard(std::int64_t i) const {
    return places_.at(static_cast<std::size_t>(i)).shard;
  }

  // Tells the system that pictures `begin` to `end` - 1 are needed soon. It then reads the shards
  // from front to end, in large pieces, whatever the order in which pictures are asked for.
  void read_ahead(std::int64_t begin, std::int64_t end) const;

  // `pixels` holds one image after another, each [channels, height, width]; 1 or 3 channels.
  static ImageSet from_pixels(std::string name, std::vector<std::uint8_t> pixels,
                              std::vector<std::int64_t> labels, int channels, int height,
                              int width);

  // What tells a picture on the disk from others, whatever folder it is in: its name and size.
  std::string identity(std::int64_t i) const;

  ImageSet subset(const std::vector<std::int64_t>& indices) const;
  ImageSet joined(const ImageSet& other) const;  // these, then those; of one kind

 private:
  std::string path(std::size_t i) const;
  // The bytes of a picture in a shard, and the name of its file.
  std::vector<std::uint8_t> in_shard(std::size_t i, std::string* name) const;

  struct Pixels {  // images in memory, one after another
    std::string name;
    std::vector<std::uint8_t> bytes;
    int channels = 0, height = 0, width = 0;
  };
  std::vector<std::int64_t> labels_;
  // Of files, their paths, one after another: a million strings would take twice the memory.
  std::string path_text_;
  std::vector<std::size_t> path_ends_;                 // where each ends in it; or
  std::vector<std::shared_ptr<const Pixels>> pixels_;  // where the image is in memory,
  std::vector<std::int64_t> position_;                 // and which of them it is; or, in shards
  std::shared_ptr<const Shards> shards_;
  std::vector<Place> places_;
};

// A number that tells sets of files apart: it follows from the class, name and size of each, in any
// order and in any folder (of a picture in a shard: from its place, and the shard's name and size).
// The number of two sets together is the sum; 0 for pixels in memory.
std::uint64_t fingerprint(const ImageSet& set, const std::vector<std::string>& classes);

}  // namespace limulus

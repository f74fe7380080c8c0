#include "training/data/image_set.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "core/checked.h"
#include "core/error.h"
#include "formats/open_file.h"
#include "formats/read_file.h"
#include "formats/tar.h"
#include "training/data/class_names.h"
#include "training/data/image.h"
#include "training/data/shard_index.h"

namespace limulus {

void ImageSet::add_file(const std::string& path, std::int64_t label) {
  if (in_memory() || in_shards())
    throw ValueError("ImageSet: a file cannot join pixels in memory, or shards");
  path_text_ += path;
  path_ends_.push_back(path_text_.size());
  labels_.push_back(label);
}

void ImageSet::add_in_shard(const std::shared_ptr<const Shards>& shards, Place place,
                            std::int64_t label) {
  if (size() > 0 && (!in_shards() || shards != shards_))
    throw ValueError("ImageSet: pictures in shards cannot join others");
  shards_ = shards;
  places_.push_back(place);
  labels_.push_back(label);
}

ImageSet ImageSet::from_pixels(std::string name, std::vector<std::uint8_t> pixels,
                               std::vector<std::int64_t> labels, int channels, int height,
                               int width) {
  const std::int64_t expected =
      size_product(size_product(static_cast<std::int64_t>(labels.size()), channels),
                   size_product(height, width));
  if ((channels != 1 && channels != 3) || height < 1 || width < 1 ||
      static_cast<std::int64_t>(pixels.size()) != expected) {
    throw ShapeError(
        fmt::format("ImageSet: {}: {} images of {} x {} x {} = {} bytes, but there are "
                    "{}",
                    name, labels.size(), channels, height, width, expected, pixels.size()));
  }
  ImageSet set;
  set.labels_ = std::move(labels);
  set.pixels_.assign(set.labels_.size(),
                     std::make_shared<const Pixels>(
                         Pixels{std::move(name), std::move(pixels), channels, height, width}));
  for (std::int64_t i = 0; i < set.size(); ++i) set.position_.push_back(i);
  return set;
}

ImageSet ImageSet::subset(const std::vector<std::int64_t>& indices) const {
  ImageSet part;
  part.shards_ = shards_;
  for (const std::int64_t i : indices) {
    const auto at = static_cast<std::size_t>(i);
    part.labels_.push_back(label(i));
    if (in_memory()) {
      part.pixels_.push_back(pixels_[at]);
      part.position_.push_back(position_[at]);
    } else if (in_shards()) {
      part.places_.push_back(places_[at]);
    } else {
      part.path_text_ += path(at);
      part.path_ends_.push_back(part.path_text_.size());
    }
  }
  return part;
}

ImageSet ImageSet::joined(const ImageSet& other) const {
  if (size() > 0 && other.size() > 0 &&
      (in_memory() != other.in_memory() || shards_ != other.shards_))
    throw ValueError("ImageSet: files, shards and pixels in memory cannot be joined");
  ImageSet all = *this;
  if (size() == 0) all.shards_ = other.shards_;
  const auto append = [](auto& to, const auto& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  append(all.labels_, other.labels_);
  for (const std::size_t end : other.path_ends_) all.path_ends_.push_back(path_text_.size() + end);
  all.path_text_ += other.path_text_;
  append(all.pixels_, other.pixels_);
  append(all.position_, other.position_);
  append(all.places_, other.places_);
  return all;
}

namespace {

// The picture at this place: its tar file has the name.
TarMember member_at(TarReader& reader, const std::filesystem::path& path, std::uint64_t offset) {
  TarMember member;
  if (!reader.next(&member))
    throw FileError(
        fmt::format("{}: at byte {}: the file ends, where a picture was when it was "
                    "opened: it has changed",
                    path.string(), offset));
  return member;
}

}  // namespace

std::string ImageSet::path(std::size_t i) const {
  const std::size_t end = path_ends_.at(i), begin = i == 0 ? 0 : path_ends_[i - 1];
  return path_text_.substr(begin, end - begin);
}

std::string ImageSet::name(std::int64_t i) const {
  const auto at = static_cast<std::size_t>(i);
  if (in_memory()) return fmt::format("{}, image {}", pixels_.at(at)->name, position_.at(at));
  if (!in_shards()) return path(at);
  const Place place = places_.at(at);
  const std::filesystem::path& path = shards_->paths.at(place.shard);
  try {
    TarReader reader(path, place.offset);
    return (path / member_at(reader, path, place.offset).name).string();
  } catch (const FileError&) {  // whoever reads the picture is told why
    return fmt::format("{}, at byte {}", path.string(), place.offset);
  }
}

std::vector<std::uint8_t> ImageSet::encoded(std::int64_t i) const {
  const auto at = static_cast<std::size_t>(i);
  if (in_memory()) throw ValueError("ImageSet: pixels in memory are no JPEG or PNG");
  if (!in_shards()) return read_file(path(at));
  std::string name;
  return in_shard(at, &name);
}

std::vector<std::uint8_t> ImageSet::in_shard(std::size_t i, std::string* name) const {
  const Place place = places_.at(i);
  const std::filesystem::path& path = shards_->paths.at(place.shard);
  TarReader reader(path, place.offset);
  const TarMember picture = member_at(reader, path, place.offset);
  *name = (path / picture.name).string();
  if (place.check >= 0 && class_behind(reader) != place.check)
    throw FileError(
        fmt::format("{}: of class {} by {}, but not by the shard itself, which was changed later. "
                    "Remove {}, and the shards are read instead",
                    *name, place.check, kShardIndex, kShardIndex));
  return reader.read(picture);
}

std::string ImageSet::identity(std::int64_t i) const {
  const auto at = static_cast<std::size_t>(i);
  if (in_shards()) {
    const Place place = places_.at(at);
    return fmt::format("/{}/{}/{}", shards_->paths[place.shard].filename().string(),
                       shards_->sizes[place.shard], place.offset);
  }
  const std::string path = this->path(at);
  struct stat found = {};  // std::filesystem takes the path apart: seconds for a million files
  const bool known = ::stat(path.c_str(), &found) == 0;
  return fmt::format("/{}/{}", canonical(path.substr(path.rfind('/') + 1)),
                     known ? found.st_size : 0);
}

void ImageSet::read_ahead(std::int64_t begin, std::int64_t end) const {
  if (!in_shards()) return;
  begin = std::max<std::int64_t>(begin, 0);
  end = std::min(end, size());
  while (begin < end) {
    const Place first = places_[static_cast<std::size_t>(begin)];
    std::int64_t last = begin + 1;
    while (last < size() && last < end && shard(last) == first.shard) ++last;
    // To the picture behind, or to the end of the shard. It is a hint: an error changes nothing.
    const std::uint64_t until = last < size() && shard(last) == first.shard
                                    ? places_[static_cast<std::size_t>(last)].offset
                                    : shards_->sizes[first.shard];
    try {
      const OpenFile file(shards_->paths[first.shard]);
      if (until > first.offset)
        ::posix_fadvise(file.fd, static_cast<off_t>(first.offset),
                        static_cast<off_t>(until - first.offset), POSIX_FADV_WILLNEED);
    } catch (const FileError&) {  // whoever reads the picture is told
    }
    begin = last;
  }
}

Image ImageSet::load(std::int64_t i, int short_side) const {
  const auto at = static_cast<std::size_t>(i);
  if (in_shards()) {
    std::string name;
    const std::vector<std::uint8_t> bytes = in_shard(at, &name);
    return decode_image(bytes, name, short_side);
  }
  if (!in_memory()) return decode_image(encoded(i), name(i), short_side);
  const Pixels& pixels = *pixels_.at(at);
  const std::size_t area = static_cast<std::size_t>(pixels.height) * pixels.width;
  const std::uint8_t* planes = pixels.bytes.data() + position_.at(at) * pixels.channels * area;
  Image image{pixels.width, pixels.height, std::vector<std::uint8_t>(3 * area)};
  for (int c = 0; c < 3; ++c) {
    const std::uint8_t* plane = planes + (pixels.channels == 3 ? c * area : 0);
    for (std::size_t p = 0; p < area; ++p) image.rgb[3 * p + c] = plane[p];
  }
  return image;
}

namespace {

// FNV-1a
void add(const std::string& text, std::uint64_t* hash) {
  for (const char c : text) *hash = (*hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
}

}  // namespace

// Of each picture "class/name" and its file's size in bytes; sums do not depend on the order.
std::uint64_t fingerprint(const ImageSet& set, const std::vector<std::string>& classes) {
  std::uint64_t sum = 0;
  if (set.in_memory()) return sum;
  std::vector<std::string> names;
  for (const std::string& name : classes) names.push_back(canonical(name));
  for (std::int64_t i = 0; i < set.size(); ++i) {
    std::uint64_t hash = 0xcbf29ce484222325;
    add(names.at(static_cast<std::size_t>(set.label(i))), &hash);
    add(set.identity(i), &hash);
    sum += hash;
  }
  return sum;
}

}  // namespace limulus

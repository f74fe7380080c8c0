#include "training/data/image_set.h"

#include <fmt/format.h>

#include <utility>

#include "core/checked.h"
#include "core/error.h"
#include "formats/read_file.h"
#include "training/data/class_names.h"
#include "training/data/image.h"

namespace limulus {

void ImageSet::add_file(const std::filesystem::path& path, std::int64_t label) {
  if (in_memory()) throw ValueError("ImageSet: a file cannot join pixels in memory");
  paths_.push_back(path.string());
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
  for (const std::int64_t i : indices) {
    const auto at = static_cast<std::size_t>(i);
    part.labels_.push_back(label(i));
    if (in_memory()) {
      part.pixels_.push_back(pixels_[at]);
      part.position_.push_back(position_[at]);
    } else {
      part.paths_.push_back(paths_[at]);
    }
  }
  return part;
}

ImageSet ImageSet::joined(const ImageSet& other) const {
  if (size() > 0 && other.size() > 0 && in_memory() != other.in_memory())
    throw ValueError("ImageSet: files cannot be joined with pixels in memory");
  ImageSet all = *this;
  const auto append = [](auto& to, const auto& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  append(all.labels_, other.labels_);
  append(all.paths_, other.paths_);
  append(all.pixels_, other.pixels_);
  append(all.position_, other.position_);
  return all;
}

std::string ImageSet::name(std::int64_t i) const {
  const auto at = static_cast<std::size_t>(i);
  return in_memory() ? fmt::format("{}, image {}", pixels_.at(at)->name, position_.at(at))
                     : paths_.at(at);
}

Image ImageSet::load(std::int64_t i, int short_side) const {
  const auto at = static_cast<std::size_t>(i);
  if (!in_memory()) {
    const std::string& path = paths_.at(at);
    return decode_image(read_file(path), path, short_side);
  }
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

// FNV-1a of "class/name" and the size in bytes of each file; sums do not depend on the order.
std::uint64_t fingerprint(const ImageSet& set, const std::vector<std::string>& classes) {
  std::uint64_t sum = 0;
  if (set.in_memory()) return sum;
  for (std::int64_t i = 0; i < set.size(); ++i) {
    const std::filesystem::path path = set.name(i);
    std::error_code unknown;
    const auto bytes = std::filesystem::file_size(path, unknown);
    std::uint64_t hash = 0xcbf29ce484222325;
    const auto add = [&](const std::string& text) {
      for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    };
    add(canonical(classes.at(static_cast<std::size_t>(set.label(i)))));
    add(fmt::format("/{}/{}", canonical(path.filename().string()), unknown ? 0 : bytes));
    sum += hash;
  }
  return sum;
}

}  // namespace limulus

#include <fmt/format.h>

#include <utility>

#include "core/checked.h"
#include "core/error.h"
#include "formats/read_file.h"
#include "training/dataset.h"

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
  set.name_ = std::move(name);
  set.pixels_ = std::make_shared<const std::vector<std::uint8_t>>(std::move(pixels));
  set.labels_ = std::move(labels);
  for (std::int64_t i = 0; i < set.size(); ++i) set.position_.push_back(i);
  set.channels_ = channels;
  set.height_ = height;
  set.width_ = width;
  return set;
}

ImageSet ImageSet::subset(const std::vector<std::int64_t>& indices) const {
  ImageSet part = *this;
  part.labels_.clear();
  part.paths_.clear();
  part.position_.clear();
  for (const std::int64_t i : indices) {
    part.labels_.push_back(label(i));
    if (in_memory()) {
      part.position_.push_back(position_[static_cast<std::size_t>(i)]);
    } else {
      part.paths_.push_back(paths_[static_cast<std::size_t>(i)]);
    }
  }
  return part;
}

std::string ImageSet::name(std::int64_t i) const {
  const auto at = static_cast<std::size_t>(i);
  return in_memory() ? fmt::format("{}, image {}", name_, position_.at(at)) : paths_.at(at);
}

Image ImageSet::load(std::int64_t i, int short_side) const {
  const auto at = static_cast<std::size_t>(i);
  if (!in_memory()) {
    const std::string& path = paths_.at(at);
    return decode_image(read_file(path), path, short_side);
  }
  const std::size_t area = static_cast<std::size_t>(height_) * width_;
  const std::uint8_t* planes = pixels_->data() + position_.at(at) * channels_ * area;
  Image image{width_, height_, std::vector<std::uint8_t>(3 * area)};
  for (int c = 0; c < 3; ++c) {
    const std::uint8_t* plane = planes + (channels_ == 3 ? c * area : 0);
    for (std::size_t p = 0; p < area; ++p) image.rgb[3 * p + c] = plane[p];
  }
  return image;
}

}  // namespace limulus

#include "training/data/augment.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "training/data/resize.h"

namespace limulus {
namespace {

double uniform(std::uint32_t word) { return word * 0x1p-32; }  // [0, 1)

// 0 .. n - 1; the bias is below n / 2^32.
int below(int n, std::uint32_t word) {
  return static_cast<int>((std::uint64_t{word} * static_cast<std::uint64_t>(n)) >> 32);
}

// Where an image is looked at, and how.
struct View {
  int left = 0, top = 0;
  bool mirror = false, flip = false;
  float shift[3] = {0, 0, 0};  // added to red, green, blue
};

// out[c][y][x] = (pixel + shift - mean) * scale. There are only 256 pixel values, so for each
// channel this is a table; the mean image, which differs from place to place, is subtracted after.
void write_view(const Image& image, const View& view, const Augment& options,
                const Normalization& norm, float* out) {
  const int side = options.crop;
  const bool by_pixel = !norm.mean_image.empty();
  const std::ptrdiff_t step = view.mirror ? -3 : 3;
  const int x0 = view.left + (view.mirror ? side - 1 : 0);
  for (int c = 0; c < options.channels; ++c) {
    float table[256];
    for (int v = 0; v < 256; ++v) {
      table[v] =
          (static_cast<float>(v) + view.shift[c] - (by_pixel ? 0 : norm.mean[c])) * norm.scale[c];
    }
    for (int y = 0; y < side; ++y) {
      const int source_y = view.top + (view.flip ? side - 1 - y : y);
      const std::uint8_t* from = image.pixel(x0, source_y);
      if (options.channels == 3) {
        from += c;
        for (int x = 0; x < side; ++x) out[x] = table[from[step * x]];
      } else {  // luma, which leaves grey as it is
        for (int x = 0; x < side; ++x) {
          const std::uint8_t* p = from + step * x;
          out[x] = table[(299 * p[0] + 587 * p[1] + 114 * p[2] + 500) / 1000];
        }
      }
      if (by_pixel) {
        const std::size_t n = static_cast<std::size_t>(norm.mean_side);
        const float* mean = norm.mean_image.data() + (c * n + source_y) * n + x0;
        const std::ptrdiff_t direction = view.mirror ? -1 : 1;
        for (int x = 0; x < side; ++x) out[x] -= mean[direction * x] * norm.scale[c];
      }
      out += side;
    }
  }
}

}  // namespace

Image prepare(Image image, const Prepare& options) {
  if (options.square) {
    // Only the middle of a strip is resized: 1 x 65535 pixels would become 256 x 16 million.
    const int longest = 8 * std::min(image.width, image.height);
    const int width = std::min(image.width, longest), height = std::min(image.height, longest);
    if (width < image.width || height < image.height) image = crop_middle(image, width, height);
  }
  if (options.short_side > 0 && std::min(image.width, image.height) != options.short_side) {
    const double scale =
        static_cast<double>(options.short_side) / std::min(image.width, image.height);
    const auto scaled = [&](int size) {
      return std::max(options.short_side, static_cast<int>(std::lround(size * scale)));
    };
    image = resize(image, scaled(image.width), scaled(image.height));
  }
  if (options.square && image.width != image.height) {
    const int side = std::min(image.width, image.height);
    image = crop_middle(image, side, side);
  }
  if (options.pad > 0) {
    Image padded{image.width + 2 * options.pad, image.height + 2 * options.pad, {}};
    padded.rgb.assign(std::size_t{3} * padded.width * padded.height, 0);
    for (int y = 0; y < image.height; ++y) {
      std::copy_n(image.pixel(0, y), std::size_t{3} * image.width,
                  padded.pixel(options.pad, y + options.pad));
    }
    image = std::move(padded);
  }
  return image;
}

void check(const Augment& options, const Normalization& norm) {
  if (options.crop < 1) throw ValueError(fmt::format("augment: crop {} < 1", options.crop));
  if (options.channels != 1 && options.channels != 3) {
    throw ValueError(fmt::format("augment: {} channels: only 1 and 3", options.channels));
  }
  if (!(options.zoom_min > 0 && options.zoom_min <= options.zoom_max)) {
    throw ValueError(fmt::format("augment: zoom from {} to {}: needs 0 < from <= to",
                                 options.zoom_min, options.zoom_max));
  }
  if (!(options.colour_sigma >= 0)) {
    throw ValueError(fmt::format("augment: colour_sigma {} < 0", options.colour_sigma));
  }
  if (!norm.mean_image.empty()) {
    const std::size_t side = static_cast<std::size_t>(norm.mean_side);
    if (norm.mean_image.size() != 3 * side * side) {
      throw ShapeError(fmt::format("augment: mean image of {} numbers, expected 3 x {} x {} = {}",
                                   norm.mean_image.size(), side, side, 3 * side * side));
    }
    if (options.random && (options.zoom_min != 1 || options.zoom_max != 1)) {
      throw ValueError("augment: a mean image does not zoom: use channel means with it");
    }
    if (options.channels != 3)
      throw ValueError(
          fmt::format("augment: a mean image has 3 channels, and the pictures are to have {}",
                      options.channels));
  }
}

std::string misfit(const Image& image, const Augment& options, const Normalization& norm) {
  if (image.width < options.crop || image.height < options.crop)
    return fmt::format("{}x{} is smaller than the crop {}x{}", image.width, image.height,
                       options.crop, options.crop);
  if (!norm.mean_image.empty() && (image.width != norm.mean_side || image.height != norm.mean_side))
    return fmt::format("{}x{} is not the size of the mean image, {}x{}", image.width, image.height,
                       norm.mean_side, norm.mean_side);
  return "";
}

void augment(const Image& image, PhiloxKey key, const Augment& options, const Normalization& norm,
             float* out) {
  const int side = options.crop;
  const int room_x = image.width - side, room_y = image.height - side;
  if (const std::string why = misfit(image, options, norm); !why.empty())
    throw ShapeError("augment: " + why);
  View view;
  view.left = room_x / 2;
  view.top = room_y / 2;
  if (!options.random) {
    if (!options.ten_crop) return write_view(image, view, options, norm, out);
    const std::size_t size = static_cast<std::size_t>(options.channels) * side * side;
    const int corner[5][2] = {
        {0, 0}, {room_x, 0}, {0, room_y}, {room_x, room_y}, {room_x / 2, room_y / 2}};
    for (const bool mirror : {false, true}) {
      for (const auto& at : corner) {
        write_view(image, View{at[0], at[1], mirror}, options, norm, out);
        out += size;
      }
    }
    return;
  }

  // Each choice has its own word: switching one on leaves the others as they were.
  const PhiloxWords a = philox_block(key, 0), b = philox_block(key, 1), n = philox_block(key, 2);
  view.left = below(room_x + 1, a.v[0]);
  view.top = below(room_y + 1, a.v[1]);
  view.mirror = options.mirror && (a.v[2] >> 31) != 0;
  view.flip = options.vertical_flip && (a.v[3] >> 31) != 0;
  if (options.colour_sigma > 0) {
    // Normal numbers by Box and Muller: sqrt(-2 ln(1 - u)) cos(2 pi v), two from one pair.
    const double r0 = std::sqrt(-2 * std::log1p(-uniform(n.v[0])));
    const double r1 = std::sqrt(-2 * std::log1p(-uniform(n.v[2])));
    const double t0 = 2 * std::numbers::pi * uniform(n.v[1]);
    const double t1 = 2 * std::numbers::pi * uniform(n.v[3]);
    const double alpha[3] = {r0 * std::cos(t0), r0 * std::sin(t0), r1 * std::cos(t1)};
    for (int c = 0; c < 3; ++c) {
      double shift = 0;
      for (int k = 0; k < 3; ++k) {
        shift += options.colour_sigma * alpha[k] * norm.colour_axes[k][c];
      }
      view.shift[c] = static_cast<float>(shift);
    }
  }
  if (options.zoom_min == 1 && options.zoom_max == 1) {
    return write_view(image, view, options, norm, out);
  }
  const double zoom = options.zoom_min + (options.zoom_max - options.zoom_min) * uniform(b.v[0]);
  const double part =
      std::clamp(side / zoom, 1.0, static_cast<double>(std::min(image.width, image.height)));
  const double left = (image.width - part) * uniform(a.v[0]);
  const double top = (image.height - part) * uniform(a.v[1]);
  const Box box{left, top, std::min<double>(left + part, image.width),
                std::min<double>(top + part, image.height)};
  view.left = view.top = 0;
  write_view(resize(image, box, side, side), view, options, norm, out);
}

std::vector<std::int64_t> random_permutation(std::int64_t n, PhiloxKey key) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  for (std::int64_t i = n - 1; i > 0; --i) {
    // 64 random bits per step make the bias of the remainder negligible.
    const PhiloxWords w = philox_block(key, static_cast<std::uint64_t>(i));
    const std::uint64_t word = std::uint64_t{w.v[0]} << 32 | w.v[1];
    std::swap(order[i], order[word % static_cast<std::uint64_t>(i + 1)]);
  }
  return order;
}

}  // namespace limulus

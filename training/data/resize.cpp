#include "training/data/resize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/error.h"

namespace limulus {
namespace {

// One axis of the resize: output o is the sum over t < count[o] of weight[o][t] *
// source[first[o]+t].
//
//   scale   = (end - begin) / out              source pixels per output pixel
//   centre  = begin + (o + 1/2) * scale        pixel x covers [x, x + 1]
//   weight  ~ max(0, 1 - |x + 1/2 - centre| / radius),  radius = max(scale, 1), summing to 1
struct AxisFilter {
  std::vector<int> first, count;
  std::vector<float> weight;  // [out, taps]
  int taps = 0;
};

AxisFilter axis_filter(double begin, double end, int size, int out) {
  const double scale = (end - begin) / out;
  const double radius = std::max(scale, 1.0);
  AxisFilter axis;
  axis.taps = static_cast<int>(std::ceil(2 * radius)) + 1;
  axis.first.resize(out);
  axis.count.resize(out);
  axis.weight.resize(static_cast<std::size_t>(out) * axis.taps);
  std::vector<double> w(axis.taps);
  for (int o = 0; o < out; ++o) {
    const double centre = begin + (o + 0.5) * scale;
    const int from = std::clamp(static_cast<int>(std::floor(centre - radius + 0.5)), 0, size - 1);
    const int to = std::clamp(static_cast<int>(std::floor(centre + radius + 0.5)), from + 1, size);
    double sum = 0;
    for (int x = from; x < to; ++x) {
      w[x - from] = std::max(0.0, 1 - std::abs(x + 0.5 - centre) / radius);
      sum += w[x - from];
    }
    axis.first[o] = from;
    axis.count[o] = to - from;
    for (int t = 0; t < to - from; ++t) {
      axis.weight[static_cast<std::size_t>(o) * axis.taps + t] =
          static_cast<float>(sum > 0 ? w[t] / sum : 1.0 / (to - from));
    }
  }
  return axis;
}

}  // namespace

Image resize(const Image& image, int width, int height) {
  return resize(image,
                Box{0, 0, static_cast<double>(image.width), static_cast<double>(image.height)},
                width, height);
}

Image resize(const Image& image, Box box, int width, int height) {
  if (width < 1 || height < 1 ||
      !(box.left >= 0 && box.top >= 0 && box.left < box.right && box.top < box.bottom &&
        box.right <= image.width && box.bottom <= image.height)) {
    throw ShapeError(fmt::format("resize: from [{}, {}] x [{}, {}] of a {} x {} image to {} x {}",
                                 box.left, box.right, box.top, box.bottom, image.width,
                                 image.height, width, height));
  }
  const AxisFilter across = axis_filter(box.left, box.right, image.width, width);
  const AxisFilter down = axis_filter(box.top, box.bottom, image.height, height);

  // First every source row that is needed is brought to the new width, then rows are mixed.
  const int y0 = down.first.front();
  const int y1 = down.first.back() + down.count.back();
  const std::size_t row = std::size_t{3} * width;
  std::vector<float> rows(row * (y1 - y0));
  for (int y = y0; y < y1; ++y) {
    float* to = rows.data() + row * (y - y0);
    for (int x = 0; x < width; ++x, to += 3) {
      const std::uint8_t* from = image.pixel(across.first[x], y);
      const float* w = across.weight.data() + static_cast<std::size_t>(x) * across.taps;
      float r = 0, g = 0, b = 0;
      for (int t = 0; t < across.count[x]; ++t, from += 3) {
        r += w[t] * from[0];
        g += w[t] * from[1];
        b += w[t] * from[2];
      }
      to[0] = r;
      to[1] = g;
      to[2] = b;
    }
  }

  Image out{width, height, std::vector<std::uint8_t>(row * height)};
  std::vector<float> sum(row);
  for (int y = 0; y < height; ++y) {
    std::fill(sum.begin(), sum.end(), 0.5f);  // rounds: the sum is at least 0
    for (int t = 0; t < down.count[y]; ++t) {
      const float w = down.weight[static_cast<std::size_t>(y) * down.taps + t];
      const float* from = rows.data() + row * (down.first[y] - y0 + t);
      for (std::size_t i = 0; i < row; ++i) sum[i] += w * from[i];
    }
    std::uint8_t* to = out.rgb.data() + row * y;
    for (std::size_t i = 0; i < row; ++i) {
      to[i] = static_cast<std::uint8_t>(static_cast<int>(std::min(sum[i], 255.0f)));
    }
  }
  return out;
}

Image crop(const Image& image, int left, int top, int width, int height) {
  if (width < 1 || height < 1 || left < 0 || top < 0 || left > image.width - width ||
      top > image.height - height) {
    throw ShapeError(fmt::format("crop: {} x {} at ({}, {}) does not fit in an image of {} x {}",
                                 width, height, left, top, image.width, image.height));
  }
  Image out{width, height, {}};
  out.rgb.reserve(std::size_t{3} * width * height);
  for (int y = 0; y < height; ++y) {
    const std::uint8_t* row = image.pixel(left, top + y);
    out.rgb.insert(out.rgb.end(), row, row + std::size_t{3} * width);
  }
  return out;
}

Image crop_middle(const Image& image, int width, int height) {
  return crop(image, (image.width - width) / 2, (image.height - height) / 2, width, height);
}

}  // namespace limulus

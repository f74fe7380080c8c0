// 7.4 Crops, mirror images, and the shift of colours
#include "eigen.h"
#include "training.h"

namespace course {

void cut(const PictureSize& size, In x, const View& view, std::int64_t side, Out y) {
  // BEGIN SOLUTION 7.4
  for (std::int64_t c = 0; c < size.c; ++c)
    for (std::int64_t i = 0; i < side; ++i)
      for (std::int64_t j = 0; j < side; ++j) {
        const std::int64_t column = view.left + (view.mirror ? side - 1 - j : j);
        y[(c * side + i) * side + j] = x[(c * size.h + view.top + i) * size.w + column];
      }
  // END SOLUTION
}

View random_view(Random& random, std::int64_t h, std::int64_t w, std::int64_t side) {
  // BEGIN SOLUTION 7.4
  View view;
  view.top = random.below(h - side + 1);
  view.left = random.below(w - side + 1);
  view.mirror = random.below(2) == 1;
  return view;
  // END SOLUTION
}

void colour_axes(std::int64_t count, std::int64_t plane, In pictures, Out axes) {
  // BEGIN SOLUTION 7.4
  const double pixels = static_cast<double>(count * plane);
  const auto pixel = [&](std::int64_t n, std::size_t c, std::int64_t i) {
    return pictures[(n * 3 + static_cast<std::int64_t>(c)) * plane + i];
  };
  Vector3 mean = {};
  for (std::int64_t n = 0; n < count; ++n)
    for (std::size_t c = 0; c < 3; ++c)
      for (std::int64_t i = 0; i < plane; ++i) mean[c] += pixel(n, c, i) / pixels;
  Matrix3 covariance = {};
  for (std::int64_t n = 0; n < count; ++n)
    for (std::int64_t i = 0; i < plane; ++i)
      for (std::size_t a = 0; a < 3; ++a)
        for (std::size_t b = 0; b < 3; ++b)
          covariance[a][b] += (pixel(n, a, i) - mean[a]) * (pixel(n, b, i) - mean[b]) / pixels;
  const Eigen found = symmetric_eigen(covariance);
  for (std::size_t k = 0; k < 3; ++k)
    for (std::size_t c = 0; c < 3; ++c)
      axes[k * 3 + c] = std::sqrt(std::max(0.0, found.values[k])) * found.vectors[k][c];
  // END SOLUTION
}

void shift_colours(Random& random, In axes, double sigma, Out x) {
  // BEGIN SOLUTION 7.4
  Vector3 shift = {};
  for (std::size_t k = 0; k < 3; ++k) {
    const double a = sigma * random.normal();
    for (std::size_t c = 0; c < 3; ++c) shift[c] += a * axes[k * 3 + c];
  }
  const std::size_t plane = x.size() / 3;
  for (std::size_t i = 0; i < x.size(); ++i) x[i] += shift[i / plane];
  // END SOLUTION
}

}  // namespace course

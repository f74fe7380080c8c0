#pragma once
// What is subtracted from the images, and along which colours they vary: both belong to the
// training set, and to nothing else.
#include <array>
#include <cstdint>
#include <vector>

#include "training/data/augment.h"
#include "training/data/image_cache.h"

namespace limulus {

using Vector3 = std::array<double, 3>;
using Matrix3 = std::array<Vector3, 3>;

struct PixelStatistics {
  std::int64_t images = 0;      // how many were looked at
  std::int64_t unreadable = 0;  // how many could not be
  Vector3 mean{};               // of red, green, blue, in 0 .. 255
  // The standard error of `mean`, which was measured on a sample: the standard deviation of the
  // images' own means over the root of their number; 0 when all images were looked at.
  Vector3 mean_error{};
  Matrix3 covariance{};
  Vector3 eigenvalues{};          // of the covariance, the largest first
  Matrix3 eigenvectors{};         // row k belongs to eigenvalue k, length 1
  std::vector<float> mean_image;  // [3, side, side]; empty when the images differ in size
  int mean_side = 0;
};

// Over at most `limit` images, evenly spaced. The sums are of whole numbers, so the result is the
// same for any number of threads. FileError when no image could be read.
PixelStatistics measure_pixels(ImageCache& images, std::int64_t limit = 10000, int threads = 1);

// mean, colour_axes and scale as augment() takes them; with_mean_image for the paper's subtraction
// of a mean at every place.
Normalization make_normalization(const PixelStatistics& statistics, float scale = 1,
                                 bool with_mean_image = false);

// Eigenvalues, the largest first, and eigenvectors (rows, length 1, the largest component positive)
// of a symmetric matrix, by Jacobi's rotations.
void symmetric_eigen(const Matrix3& matrix, Vector3* values, Matrix3* vectors);

}  // namespace limulus

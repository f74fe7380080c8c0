#include "training/data/statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "core/error.h"

namespace limulus {
namespace {

// Sums over pixels as whole numbers: exact, so it does not matter who adds what when.
struct Sums {
  std::int64_t images = 0, unreadable = 0;
  std::uint64_t pixels = 0;
  std::uint64_t sum[3] = {};
  std::uint64_t product[3][3] = {};
  // Of the images' own means, in 1/256: to say how far the mean of a sample may be off.
  std::uint64_t mean[3] = {}, mean_squared[3] = {};
  std::vector<std::uint64_t> place;  // [height, width, 3]
  int width = 0, height = 0;
  bool one_size = true;

  void add(const Image& image) {
    if (images == 0) {
      width = image.width;
      height = image.height;
      place.assign(image.rgb.size(), 0);
    }
    one_size = one_size && image.width == width && image.height == height;
    if (one_size) {
      for (std::size_t i = 0; i < place.size(); ++i) place[i] += image.rgb[i];
    }
    const std::uint64_t before[3] = {sum[0], sum[1], sum[2]};
    for (int y = 0; y < image.height; ++y) {  // a row's sums fit in 32 bits: 255^2 x 65535 < 2^32
      std::uint32_t r = 0, g = 0, b = 0, rr = 0, rg = 0, rb = 0, gg = 0, gb = 0, bb = 0;
      const std::uint8_t* p = image.pixel(0, y);
      for (int x = 0; x < image.width; ++x, p += 3) {
        r += p[0], g += p[1], b += p[2];
        rr += p[0] * p[0], rg += p[0] * p[1], rb += p[0] * p[2];
        gg += p[1] * p[1], gb += p[1] * p[2], bb += p[2] * p[2];
      }
      sum[0] += r, sum[1] += g, sum[2] += b;
      product[0][0] += rr, product[0][1] += rg, product[0][2] += rb;
      product[1][1] += gg, product[1][2] += gb, product[2][2] += bb;
    }
    const std::uint64_t area = static_cast<std::uint64_t>(image.width) * image.height;
    for (int c = 0; c < 3; ++c) {
      const std::uint64_t own = (sum[c] - before[c]) * 256 / area;
      mean[c] += own;
      mean_squared[c] += own * own;
    }
    pixels += area;
    ++images;
  }

  void add(const Sums& other) {
    unreadable += other.unreadable;
    if (other.images == 0) return;
    if (images == 0) {
      const auto counted = unreadable;
      *this = other;
      unreadable = counted;
      return;
    }
    one_size = one_size && other.one_size && width == other.width && height == other.height;
    if (one_size) {
      for (std::size_t i = 0; i < place.size(); ++i) place[i] += other.place[i];
    }
    for (int i = 0; i < 3; ++i) {
      sum[i] += other.sum[i];
      mean[i] += other.mean[i];
      mean_squared[i] += other.mean_squared[i];
      for (int j = 0; j < 3; ++j) product[i][j] += other.product[i][j];
    }
    pixels += other.pixels;
    images += other.images;
  }
};

}  // namespace

PixelStatistics measure_pixels(ImageCache& images, std::int64_t limit, int threads) {
  const std::int64_t count = std::min(limit, images.size());
  std::atomic<std::int64_t> next{0};
  std::mutex mutex;
  Sums total;
  std::exception_ptr failure;
  const auto work = [&] {
    Sums sums;
    try {
      for (std::int64_t i = next++; i < count; i = next++) {
        try {
          sums.add(*images.get(evenly_spaced(i, count, images.size())));
        } catch (const FileError&) {
          ++sums.unreadable;
        }
      }
      const std::lock_guard lock(mutex);
      total.add(sums);
    } catch (...) {
      const std::lock_guard lock(mutex);
      failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> others;
    for (int t = 1; t < threads; ++t) others.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
  if (total.images == 0) {
    const auto skipped = images.skipped();
    throw FileError(
        fmt::format("statistics: none of {} images can be used{}", count,
                    skipped.empty() ? "" : "; the first is " + text_of(skipped.begin()->second)));
  }

  PixelStatistics out;
  out.images = total.images;
  out.unreadable = total.unreadable;
  // cov(i, j) = E[p_i p_j] - E[p_i] E[p_j], the sums being exact.
  const auto n = static_cast<long double>(total.pixels);
  for (int i = 0; i < 3; ++i) {
    out.mean[i] = static_cast<double>(total.sum[i] / n);
    for (int j = 0; j < 3; ++j) {
      const auto product = total.product[std::min(i, j)][std::max(i, j)];
      out.covariance[i][j] =
          static_cast<double>(product / n - (total.sum[i] / n) * (total.sum[j] / n));
    }
  }
  // Var[mean of n images] = s^2 / n with s^2 = (sum m^2 - (sum m)^2 / n) / (n - 1).
  if (const auto images_seen = static_cast<double>(total.images);
      count < images.size() && images_seen > 1)
    for (int c = 0; c < 3; ++c) {
      const double sum = static_cast<double>(total.mean[c]) / 256,
                   squares = static_cast<double>(total.mean_squared[c]) / 65536;
      out.mean_error[c] = std::sqrt(
          std::max(0.0, (squares - sum * sum / images_seen) / (images_seen - 1) / images_seen));
    }
  symmetric_eigen(out.covariance, &out.eigenvalues, &out.eigenvectors);
  if (total.one_size && total.width == total.height) {
    const std::size_t area = static_cast<std::size_t>(total.width) * total.height;
    out.mean_side = total.width;
    out.mean_image.resize(3 * area);
    for (std::size_t i = 0; i < 3 * area; ++i) {
      out.mean_image[i % 3 * area + i / 3] = static_cast<float>(
          static_cast<double>(total.place[i]) / static_cast<double>(total.images));
    }
  }
  return out;
}

Normalization make_normalization(const PixelStatistics& statistics, float scale,
                                 bool with_mean_image) {
  Normalization norm;
  if (with_mean_image && statistics.mean_image.empty()) {
    throw ValueError(
        "make_normalization: no mean image: the images differ in size or are not "
        "square; prepare them with a short side and `square`");
  }
  for (int c = 0; c < 3; ++c) {
    norm.mean[c] = static_cast<float>(statistics.mean[c]);
    norm.scale[c] = scale;
    for (int k = 0; k < 3; ++k) {
      norm.colour_axes[k][c] = static_cast<float>(
          std::sqrt(std::max(0.0, statistics.eigenvalues[k])) * statistics.eigenvectors[k][c]);
    }
  }
  if (with_mean_image) {
    norm.mean_image = statistics.mean_image;
    norm.mean_side = statistics.mean_side;
  }
  return norm;
}

// A rotation in the plane of axes p and q makes a[p][q] zero; each sweep over the three planes
// leaves the off-diagonal smaller, in the end quadratically so.
//   tan(2 phi) = 2 a_pq / (a_qq - a_pp),  t = tan(phi) the smaller root,  c = cos, s = sin
void symmetric_eigen(const Matrix3& matrix, Vector3* values, Matrix3* vectors) {
  Matrix3 a = matrix;
  Matrix3 v = {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};  // columns become the eigenvectors
  for (int sweep = 0; sweep < 50; ++sweep) {
    if (a[0][1] == 0 && a[0][2] == 0 && a[1][2] == 0) break;
    for (const auto& [p, q] : {std::pair{0, 1}, std::pair{0, 2}, std::pair{1, 2}}) {
      if (a[p][q] == 0) continue;
      const double theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
      const double t = (theta >= 0 ? 1 : -1) / (std::abs(theta) + std::sqrt(theta * theta + 1));
      const double c = 1 / std::sqrt(t * t + 1), s = t * c;
      for (int k = 0; k < 3; ++k) {  // a <- a J
        const double akp = a[k][p], akq = a[k][q];
        a[k][p] = c * akp - s * akq;
        a[k][q] = s * akp + c * akq;
      }
      for (int k = 0; k < 3; ++k) {  // a <- J^T a
        const double apk = a[p][k], aqk = a[q][k];
        a[p][k] = c * apk - s * aqk;
        a[q][k] = s * apk + c * aqk;
      }
      a[p][q] = a[q][p] = 0;
      for (int k = 0; k < 3; ++k) {  // v <- v J
        const double vkp = v[k][p], vkq = v[k][q];
        v[k][p] = c * vkp - s * vkq;
        v[k][q] = s * vkp + c * vkq;
      }
    }
  }
  std::array<int, 3> order = {0, 1, 2};
  std::stable_sort(order.begin(), order.end(), [&](int x, int y) { return a[x][x] > a[y][y]; });
  for (int k = 0; k < 3; ++k) {
    const int column = order[k];
    (*values)[k] = a[column][column];
    int largest = 0;
    for (int i = 1; i < 3; ++i) {
      if (std::abs(v[i][column]) > std::abs(v[largest][column])) largest = i;
    }
    const double sign = v[largest][column] < 0 ? -1 : 1;
    for (int i = 0; i < 3; ++i) (*vectors)[k][i] = sign * v[i][column];
  }
}

}  // namespace limulus

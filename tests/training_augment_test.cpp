// Preparing and augmenting images, and the statistics of a set.
#include "training/data/augment.h"

#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "core/error.h"
#include "temporary_folder.h"
#include "training/data/image_cache.h"
#include "training/data/statistics.h"
#include "training_sets.h"

using namespace limulus;

TEST_CASE("prepare: shorter side, middle square, border") {
  Image wide{8, 4, std::vector<std::uint8_t>(96)};
  for (int x = 0; x < 8; ++x) {
    for (int y = 0; y < 4; ++y) wide.pixel(x, y)[0] = static_cast<std::uint8_t>(10 * x);
  }
  const Image square = prepare(wide, {.short_side = 0});
  CHECK(square.width == 4);
  CHECK(square.pixel(0, 0)[0] == 20);
  CHECK(square.pixel(3, 3)[0] == 50);
  const Image large = prepare(wide, {.short_side = 6, .square = false});
  CHECK(large.width == 12);
  CHECK(large.height == 6);
  const Image padded = prepare(wide, {.short_side = 4, .square = true, .pad = 2});
  CHECK(padded.width == 8);
  CHECK(padded.pixel(1, 4)[0] == 0);
  CHECK(padded.pixel(2, 2)[0] == 20);
}

TEST_CASE("prepare: of a long strip only the middle is resized") {
  Image strip{1, 65535, std::vector<std::uint8_t>(std::size_t{3} * 65535, 7)};
  const Image square = prepare(std::move(strip), {.short_side = 64});
  CHECK(square.width == 64);
  CHECK(square.height == 64);
  CHECK(*square.pixel(63, 63) == 7);
}

TEST_CASE("augment: ten-crop takes four corners, the middle, and their mirror images") {
  const int side = 5, crop = 3;
  Image image{side, side, {}};
  for (int i = 0; i < side * side; ++i) {
    for (int c = 0; c < 3; ++c) image.rgb.push_back(static_cast<std::uint8_t>(i + 100 * c));
  }
  Normalization norm;
  norm.mean = {1, 2, 3};
  norm.scale = {0.5f, 1, 2};
  const Augment options{.crop = crop, .random = false, .ten_crop = true};
  CHECK(views(options) == 10);
  std::vector<float> out(10 * 3 * crop * crop);
  augment(image, {}, options, norm, out.data());
  const int corner[5][2] = {{0, 0}, {2, 0}, {0, 2}, {2, 2}, {1, 1}};
  for (int v = 0; v < 10; ++v) {
    for (int c = 0; c < 3; ++c) {
      for (int y = 0; y < crop; ++y) {
        for (int x = 0; x < crop; ++x) {
          const int sx = corner[v % 5][0] + (v < 5 ? x : crop - 1 - x);
          const int sy = corner[v % 5][1] + y;
          const float expected = (sy * side + sx + 100 * c - norm.mean[c]) * norm.scale[c];
          CHECK(out[((v * 3 + c) * crop + y) * crop + x] == expected);
        }
      }
    }
  }
  // One view is the middle one; a mean image is subtracted at the crop's own place.
  std::vector<float> middle(3 * crop * crop);
  augment(image, {}, {.crop = crop, .random = false}, norm, middle.data());
  CHECK(std::equal(middle.begin(), middle.end(), out.begin() + 4 * 27));
  norm.mean_image.assign(image.rgb.size(), 0);
  norm.mean_side = side;
  for (int c = 0; c < 3; ++c) {
    for (int i = 0; i < side * side; ++i) {
      norm.mean_image[static_cast<std::size_t>(c * side * side + i)] =
          static_cast<float>(i + 100 * c - 7);
    }
  }
  augment(image, {}, options, norm, out.data());
  for (std::size_t i = 0; i < out.size(); ++i) CHECK(out[i] == 7 * norm.scale[i / 9 % 3]);
}

TEST_CASE("augment: every choice occurs, follows the key, and is what it says") {
  const Image image = noise_set(1, 6).load(0);
  Augment options{.crop = 4, .vertical_flip = true};
  const Normalization norm;
  std::set<std::vector<float>> seen;
  for (std::uint64_t i = 0; i < 400; ++i) {
    std::vector<float> a(48), b(48);
    augment(image, {1, i}, options, norm, a.data());
    augment(image, {1, i}, options, norm, b.data());
    CHECK(a == b);
    seen.insert(a);
  }
  CHECK(seen.size() == 3 * 3 * 2 * 2);  // places x mirror x flip
  options.mirror = options.vertical_flip = false;
  seen.clear();
  for (std::uint64_t i = 0; i < 200; ++i) {
    std::vector<float> a(48);
    augment(image, {1, i}, options, norm, a.data());
    seen.insert(a);
  }
  CHECK(seen.size() == 9);

  // Grey is luma; a grey picture stays as it is.
  const Image flat{6, 6, std::vector<std::uint8_t>(108, 77)};
  std::vector<float> grey(16);
  augment(flat, {1, 1}, {.crop = 4, .channels = 1}, norm, grey.data());
  CHECK(grey == std::vector<float>(16, 77));
  // A zoomed part of a flat picture is flat; of noise it differs from any unzoomed one.
  std::vector<float> zoomed(48);
  augment(flat, {1, 2}, {.crop = 4, .zoom_min = 0.5, .zoom_max = 2}, norm, zoomed.data());
  CHECK(zoomed == std::vector<float>(48, 77));

  CHECK(has(message_of<ShapeError>([&] { augment(flat, {}, {.crop = 7}, norm, zoomed.data()); }),
            "6x6 is smaller than the crop 7x7"));
  CHECK_THROWS_AS(check({.channels = 2}, norm), ValueError);
  CHECK_THROWS_AS(check({.zoom_min = 2, .zoom_max = 1}, norm), ValueError);
  Normalization with_image;
  with_image.mean_image.resize(108);
  with_image.mean_side = 6;
  CHECK_NOTHROW(check({.crop = 4}, with_image));
  CHECK_THROWS_AS(check({.zoom_max = 2}, with_image), ValueError);
  with_image.mean_side = 7;
  CHECK_THROWS_AS(check({.crop = 4}, with_image), ShapeError);
}

TEST_CASE("augment: the colour shift has the covariance it should") {
  // Over many keys, shift = sigma * sum_k a_k row_k: covariance sigma^2 * sum_k row_k row_k^T.
  const Image image{1, 1, {100, 100, 100}};
  Normalization norm;
  norm.colour_axes = {{{30, 20, 10}, {-5, 5, 5}, {0, 1, -2}}};
  const Augment options{.crop = 1, .colour_sigma = 0.1};
  const int n = 20000;
  double mean[3] = {}, product[3][3] = {};
  for (int i = 0; i < n; ++i) {
    float out[3];
    augment(image, random_key(5, RandomPurpose::augment, 0, static_cast<std::uint64_t>(i)), options,
            norm, out);
    for (int p = 0; p < 3; ++p) {
      mean[p] += (out[p] - 100.0) / n;
      for (int q = 0; q < 3; ++q) product[p][q] += (out[p] - 100.0) * (out[q] - 100.0) / n;
    }
  }
  for (int p = 0; p < 3; ++p) {
    CHECK(std::abs(mean[p]) < 0.1);
    for (int q = 0; q < 3; ++q) {
      double expected = 0;
      for (int k = 0; k < 3; ++k)
        expected += 0.01 * norm.colour_axes[k][p] * norm.colour_axes[k][q];
      CHECK(std::abs(product[p][q] - expected) < 0.05 * 9);
    }
  }
}

TEST_CASE("augment: the three numbers of the colour shift are independent and normal") {
  const Image image{1, 1, {100, 100, 100}};
  Normalization norm;
  norm.colour_axes = {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
  const int n = 20000;
  double fourth[3][3] = {};  // E[a^2 b^2] is 1 for two independent ones, E[a^4] is 3
  for (int i = 0; i < n; ++i) {
    float out[3];
    augment(image, {6, static_cast<std::uint64_t>(i)}, {.crop = 1, .colour_sigma = 1}, norm, out);
    for (int p = 0; p < 3; ++p) {
      for (int q = 0; q < 3; ++q) {
        fourth[p][q] += std::pow(out[p] - 100.0, 2) * std::pow(out[q] - 100.0, 2) / n;
      }
    }
  }
  for (int p = 0; p < 3; ++p) {
    for (int q = 0; q < 3; ++q) CHECK(std::abs(fourth[p][q] - (p == q ? 3 : 1)) < 0.35);
  }
}

TEST_CASE("statistics: eigenvectors of a matrix made by hand") {
  // A = sum_k value_k e_k e_k^T with e = (2, 2, 1)/3, (-2, 1, 2)/3, (1, -2, 2)/3.
  const double e[3][3] = {{2, 2, 1}, {-2, 1, 2}, {1, -2, 2}};
  const double value[3] = {900, 50, 0.25};
  Matrix3 a{};
  for (int k = 0; k < 3; ++k) {
    for (int i = 0; i < 3; ++i) {
      for (int j = 0; j < 3; ++j) a[i][j] += value[k] * e[k][i] * e[k][j] / 9;
    }
  }
  Vector3 values;
  Matrix3 vectors;
  symmetric_eigen(a, &values, &vectors);
  for (int k = 0; k < 3; ++k) {
    CHECK(values[k] == doctest::Approx(value[k]).epsilon(1e-12));
    double dot = 0;
    for (int i = 0; i < 3; ++i) dot += vectors[k][i] * e[k][i] / 3;
    CHECK(std::abs(dot) == doctest::Approx(1).epsilon(1e-12));
  }
  symmetric_eigen({{{2, 0, 0}, {0, 2, 0}, {0, 0, 5}}}, &values, &vectors);
  CHECK(values == Vector3{5, 2, 2});
  CHECK(vectors[0] == Vector3{0, 0, 1});
}

TEST_CASE("statistics: mean, covariance and mean image of a set made by hand") {
  // Two images of 1 x 2 x 2; red takes 0 and 40, green 10 and 30 with it, blue is constant.
  const std::vector<std::uint8_t> pixels = {0,  0,  40, 40, 10, 10, 30, 30, 7, 7, 7, 7,
                                            40, 40, 0,  0,  30, 30, 10, 10, 7, 7, 7, 7};
  ImageCache cache(ImageSet::from_pixels("hand", pixels, {0, 1}, 3, 2, 2), {.short_side = 0});
  const PixelStatistics s = measure_pixels(cache);
  CHECK(s.images == 2);
  CHECK(s.mean == Vector3{20, 20, 7});
  CHECK(s.covariance == Matrix3{{{400, 200, 0}, {200, 100, 0}, {0, 0, 0}}});
  CHECK(s.eigenvalues[0] == doctest::Approx(500));
  CHECK(s.eigenvalues[1] == doctest::Approx(0).scale(1));
  CHECK(s.mean_side == 2);
  CHECK(s.mean_image == std::vector<float>{20, 20, 20, 20, 20, 20, 20, 20, 7, 7, 7, 7});
  CHECK(measure_pixels(cache, 1).mean == Vector3{20, 20, 7});
  const Normalization norm = make_normalization(s, 0.5f, true);
  CHECK(norm.scale[1] == 0.5f);
  CHECK(norm.mean_side == 2);
  // sqrt(500) (2, 1, 0) / sqrt(5)
  CHECK(norm.colour_axes[0][0] == doctest::Approx(20));
  CHECK(norm.colour_axes[0][1] == doctest::Approx(10));

  ImageCache noise(noise_set(50, 9), {.short_side = 8});
  const PixelStatistics one = measure_pixels(noise, 40, 1), four = measure_pixels(noise, 40, 4);
  CHECK(one.images == 40);
  CHECK(one.covariance == four.covariance);
  CHECK(one.mean_image == four.mean_image);
}

#pragma once
// Pictures for task 7.6, made from random numbers: letters, in training upright and near the
// middle, when tested in other places too, and half of them as in a mirror.
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

namespace course {

inline constexpr std::int64_t kLetterSide = 12, kLetterClasses = 8;
inline constexpr std::int64_t kLetterPlane = kLetterSide * kLetterSide;
inline constexpr double kNoise = 0.15;  // the deviation in each pixel; ink is 1, 0.8, 0.6

// A letter without noise, [3, 12, 12].
inline std::vector<double> letter(std::int64_t label, std::int64_t top, std::int64_t left,
                                  bool mirror) {
  // Rows of five bits, from top to bottom. No letter is another's mirror image.
  static constexpr std::array<std::array<int, 7>, kLetterClasses> shapes = {{
      {0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b11111},  // E
      {0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b10000},  // F
      {0b01111, 0b10000, 0b10000, 0b10011, 0b10001, 0b10001, 0b01110},  // G
      {0b10001, 0b10010, 0b10100, 0b11000, 0b10100, 0b10010, 0b10001},  // K
      {0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b11111},  // L
      {0b11110, 0b10001, 0b10001, 0b11110, 0b10000, 0b10000, 0b10000},  // P
      {0b11110, 0b10001, 0b10001, 0b11110, 0b10100, 0b10010, 0b10001},  // R
      {0b01111, 0b10000, 0b10000, 0b01110, 0b00001, 0b00001, 0b11110},  // S
  }};
  std::vector<double> picture(3 * kLetterPlane);
  for (std::int64_t c = 0; c < 3; ++c)
    for (std::int64_t i = 0; i < 7; ++i)
      for (std::int64_t j = 0; j < 5; ++j) {
        const int row = shapes[static_cast<std::size_t>(label)][static_cast<std::size_t>(i)];
        if ((row >> (mirror ? j : 4 - j) & 1) == 1)
          picture[static_cast<std::size_t>(c * kLetterPlane + (top + i) * kLetterSide + left + j)] =
              1 - 0.2 * static_cast<double>(c);
      }
  return picture;
}

struct Letters {
  std::vector<double> pictures;  // [count, 3, 12, 12]
  std::vector<std::int64_t> labels;
};

// R: uniform() and normal().
template <class R>
Letters make_letters(R& rng, std::int64_t count, bool tested) {
  const auto from = [&](std::int64_t low, std::int64_t values) {
    return low + static_cast<std::int64_t>(rng.uniform() * static_cast<double>(values));
  };
  Letters made;
  for (std::int64_t n = 0; n < count; ++n) {
    // As many of each for training; nobody knows which comes next when it is tested.
    const std::int64_t label = tested ? from(0, kLetterClasses) : n % kLetterClasses;
    const std::int64_t top = tested ? from(1, 4) : from(2, 2);
    const std::int64_t left = tested ? from(2, 4) : from(3, 2);
    const bool mirror = tested && from(0, 2) == 1;
    const double light = 1 + 0.2 * rng.normal();
    for (const double ink : letter(label, top, left, mirror))
      made.pictures.push_back(light * ink + kNoise * rng.normal());
    made.labels.push_back(label);
  }
  return made;
}

// Which letter a tested picture shows: the one that fits best, at all places, by least squares.
// So right answers need not be kept in any file that a program under test can read.
inline std::int64_t read_letter(const double* picture) {
  std::int64_t best = 0;
  double most = -1e300;
  for (std::int64_t k = 0; k < kLetterClasses * 32; ++k) {
    const std::int64_t label = k / 32, place = k % 32 / 2;
    const std::vector<double> t = letter(label, 1 + place / 4, 2 + place % 4, k % 2 == 1);
    double product = 0, square = 0;
    for (std::size_t i = 0; i < t.size(); ++i) product += t[i] * picture[i], square += t[i] * t[i];
    if (product / std::sqrt(square) > most) most = product / std::sqrt(square), best = label;
  }
  return best;
}

}  // namespace course

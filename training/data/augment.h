#pragma once
// From a picture to the numbers a network sees: [C, S, S] floats. In two steps, because the first
// is the same in every epoch and can be kept, and the second is where chance comes in.
//
//   prepare   shorter side to 256, the middle square of it                 (section 2 of the paper)
//   augment   a random S x S part, perhaps mirrored, its colours shifted   (section 4.1),
//             minus the mean, times a scale
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/philox.h"
#include "training/data/image.h"

namespace limulus {

struct Prepare {
  int short_side = 256;  // 0: sizes stay as they are
  bool square = true;    // keep only the middle square
  int pad = 0;  // then a black border of so many pixels on each side (28 -> 32 for LeNet-5)
};
Image prepare(Image image, const Prepare& options);

struct Augment {
  int crop = 227;              // S
  int channels = 3;            // 1: grey
  bool random = true;          // false: the middle, unmirrored, no colour shift: for evaluation
  bool ten_crop = false;       // with random = false: 4 corners, middle, and their mirror images
  bool mirror = true;          // left and right exchanged for half of the images
  bool vertical_flip = false;  // top and bottom exchanged for half of them
  double zoom_min = 1;         // the part's side is S / zoom (at most the image's), zoom uniform
  double zoom_max = 1;
  double colour_sigma = 0;  // the paper's PCA colour shift; the paper has 0.1
};

struct Normalization {
  std::array<float, 3> mean{};          // of red, green, blue, in 0 .. 255
  std::vector<float> mean_image;        // or [3, side, side], taken at the same place as the crop
  int mean_side = 0;                    // the prepared images' side
  std::array<float, 3> scale{1, 1, 1};  // output = (pixel + shift - mean) * scale
  // Row k is sqrt(lambda_k) e_k: the k-th principal axis of the pixels' colours, one standard
  // deviation long. The shift is sum_k a_k row_k with a_k ~ N(0, colour_sigma). The paper writes
  // "eigenvalue" where its own sigma of 0.1 only makes sense with the standard deviation: as
  // printed, the shift in 0 .. 255 would be hundreds of times larger than in 0 .. 1.
  std::array<std::array<float, 3>, 3> colour_axes{};
};

// ValueError or ShapeError when the options do not fit together; once, before training.
void check(const Augment& options, const Normalization& normalization);

inline int views(const Augment& options) { return options.ten_crop && !options.random ? 10 : 1; }

// Why an image cannot be used with these options, "20x20 is smaller than the crop 32x32"; "" if it
// can.
std::string misfit(const Image& image, const Augment& options, const Normalization& normalization);

// Every choice comes from `key`: the same image with the same key gives the same numbers, whichever
// thread computes them. ShapeError when misfit() has something to say.
void augment(const Image& image, PhiloxKey key, const Augment& options,
             const Normalization& normalization, float* out);  // [views, C, S, S]

// What Philox's streams are for in this folder, so that no two purposes share a sequence.
enum class RandomPurpose : std::uint64_t {
  augment = 0xA1,
  shuffle = 0xA2,
  split = 0xA3,
  pack = 0xA4
};
inline PhiloxKey random_key(std::uint64_t seed, RandomPurpose purpose, std::uint64_t epoch,
                            std::uint64_t index) {
  return {seed, static_cast<std::uint64_t>(purpose) << 56 | (epoch & 0xFFFFFF) << 32 |
                    (index & 0xFFFFFFFF)};
}

// 0 .. n - 1 in an order drawn from `key` (Fisher and Yates).
std::vector<std::int64_t> random_permutation(std::int64_t n, PhiloxKey key);

}  // namespace limulus

#pragma once
// Small sets of images for the tests of training.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/philox.h"
#include "temporary_folder.h"
#include "training/data/dataset.h"

inline std::string golden_bytes(const std::string& name) {
  return get_bytes(std::filesystem::path(LIMULUS_SOURCE_DIR) / "tests/golden/images" / name);
}

// Ten classes of random pixels, `n` images of side x side.
inline limulus::ImageSet noise_set(int n, int side) {
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(n) * 3 * side * side);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = static_cast<std::uint8_t>(limulus::philox_block({3, 0}, i).v[0]);
  }
  std::vector<std::int64_t> labels(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i) labels[static_cast<std::size_t>(i)] = i % 10;
  return limulus::ImageSet::from_pixels("noise", std::move(pixels), std::move(labels), 3, side,
                                        side);
}

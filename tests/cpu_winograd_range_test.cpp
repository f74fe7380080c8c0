// What a pixel far larger than the others does to its neighbours by Winograd's method: the example
// of docs/performance/winograd.md, and the bound that is stated there.
#include <doctest/doctest.h>
#include <fmt/core.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "backends/cpu/cpu_backend.h"
#include "layers/conv2d.h"

using namespace limulus;

namespace {

constexpr std::int64_t side = 15, channels = 16, filters = 64;

// y of images of ones with one pixel of another size, by filters of ones: all 9 * 16 = 144 but
// where a window holds that pixel.
std::vector<float> outputs(CpuBackend& backend, double pixel, std::int64_t row,
                           std::int64_t column) {
  std::vector<float> x(channels * side * side, 1), w(filters * channels * 9, 1);
  x[row * side + column] = static_cast<float>(pixel);
  const NoGrad only_forward;
  const Tensor y = conv2d(Tensor::from(x, {1, channels, side, side}, backend),
                          Tensor::from(w, {filters, channels, 3, 3}, backend), Tensor(), {});
  return y.to_vector<float>();
}

struct Worst {
  double value = 144, error = 0;  // of the outputs whose windows do not hold the pixel
};
Worst worst_neighbour(CpuBackend& backend, double pixel, std::int64_t row = 7,
                      std::int64_t column = 7) {
  const std::vector<float> y = outputs(backend, pixel, row, column);
  constexpr std::int64_t out = side - 2;
  Worst worst;
  for (std::int64_t i = 0; i < filters * out * out; ++i) {
    const std::int64_t oh = i / out % out, ow = i % out;
    if (std::abs(oh + 1 - row) <= 1 && std::abs(ow + 1 - column) <= 1) continue;
    const double value = y[static_cast<std::size_t>(i)], error = std::abs(value - 144);
    if (!(error <= worst.error)) worst = {value, error};
  }
  return worst;
}

}  // namespace

TEST_CASE("one pixel of a million among ones") {
  if (std::getenv("LIMULUS_CONV") != nullptr) {
    std::printf("skipped: LIMULUS_CONV forces a method\n");
    return;
  }
  std::ifstream file(std::string(LIMULUS_SOURCE_DIR) + "/docs/performance/winograd.md");
  const std::string page{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  for (const std::string& isa : cpu_instruction_sets()) {
    if (!cpu_supports(isa)) {
      std::printf("skipped: this processor has no %s\n", isa.c_str());
      continue;
    }
    CpuBackend backend(1, "cpu", isa);
    CHECK(worst_neighbour(backend, 1).error < 0.001);
    for (const double pixel : {1e3, 1e4, 1e5, 1e6}) {
      const Worst worst = worst_neighbour(backend, pixel);
      std::printf("%s: a pixel of %g makes 144 %.4f\n", isa.c_str(), pixel, worst.value);
      // The page's table has this row.
      const std::string shown = fmt::format("| {:.0e} | {:.4f} |", pixel, worst.value);
      CHECK_MESSAGE(page.find(shown) != std::string::npos, shown);
    }
    // And its bound holds wherever in a tile the pixel stands.
    for (std::int64_t row = 4; row < 11; ++row)
      for (std::int64_t column = 4; column < 11; ++column)
        CHECK(worst_neighbour(backend, 1e6, row, column).error <= 256 * 0x1p-23 * 1e6);
    // Infinity and NaN do not leave their windows: images that hold them go the direct way.
    for (const double pixel : {HUGE_VAL, std::nan("")})
      CHECK(worst_neighbour(backend, pixel).error == 0);
  }
}

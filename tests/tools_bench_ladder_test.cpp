// The rungs of the convolution's ladder (docs/performance/ladder.md) against the textbook loops, on
// maps with edges and on numbers of channels and filters that fill no tile.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <vector>

#include "backends/cpu/cpu_backend.h"
#include "core/rng.h"
#include "reference_check.h"
#include "tools/bench/ladder/rungs.h"

using namespace limulus;

namespace {

std::vector<float> random_values(std::int64_t n, Rng& rng) {
  Tensor t = Tensor::empty({n}, DType::f32, reference());
  fill_normal(t, 0, 1, rng);
  return t.to_vector<float>();
}

void check_rungs(const cpu::Ladder<cpu::ConvRung>& ladder, CpuBackend& backend,
                 const Conv2dShape& s) {
  Rng rng(3);
  const Window1d &h = s.window.h, &w = s.window.w;
  const std::vector<float> x = random_values(s.n * s.c * h.in * w.in, rng);
  const std::vector<float> weight = random_values(s.k * s.c * h.kernel * w.kernel, rng);
  const std::vector<float> bias = random_values(s.k, rng);
  std::vector<float> wanted(static_cast<std::size_t>(s.n * s.k * h.out * w.out));
  reference().conv2d_forward(DType::f32, s, x.data(), weight.data(), bias.data(), wanted.data());
  for (int i = 0; i < ladder.count; ++i) {
    const cpu::ConvRung& rung = ladder.rungs[i];
    std::vector<float> y(wanted.size(), std::numeric_limits<float>::quiet_NaN());
    rung.run(backend.context(), s, x.data(), weight.data(), bias.data(), y.data());
    double worst = 0;
    for (std::size_t j = 0; j < y.size(); ++j) {
      const double error = std::abs(static_cast<double>(y[j]) - wanted[j]);
      if (!(error <= worst)) worst = error;
    }
    CHECK_MESSAGE(worst < 1e-4, rung.name << " on " << h.in << " x " << w.in << ": " << worst);
  }
}

}  // namespace

TEST_CASE("each rung of the convolution's ladder computes the convolution") {
  for (const std::string& isa : cpu_instruction_sets()) {
    if (!cpu_supports(isa)) {
      std::printf("skipped: this processor has no %s\n", isa.c_str());
      continue;
    }
    CpuBackend backend(2, "cpu", isa);
    const auto ladder = isa[3] == '2' ? cpu::avx2::conv_ladder() : cpu::avx512::conv_ladder();
    for (const auto& [rows, columns, pad] :
         {std::array{13, 13, 1}, {5, 5, 0}, {7, 18, 2}, {3, 3, 0}})
      check_rungs(ladder, backend,
                  {2, 5, 19, 1, make_window(rows, columns, {.kernel = 3, .pad = pad}, "conv2d")});
  }
}

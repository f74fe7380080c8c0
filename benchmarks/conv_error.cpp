// What the two methods of convolution lose by rounding: each of AlexNet's convolutions and of their
// gradients in float, beside the direct method in double.
//
//     conv_error                        batch 32, on all threads
//     conv_error --batch 8
//     LIMULUS_ISA=avx2 conv_error       with the other kernels
//
// All factors are normal numbers. Printed, in roundings of a result's size (eps = 2^-23):
//
//     the largest of |value - exact| / max(|exact|, rms of exact), for which
//         tests/ops_parity_test.cpp allows 64, and 512 where Winograd's method can be chosen,
//     the typical one, rms of (value - exact) / rms of exact.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "backends/cpu/cpu_backend.h"
#include "benchmarks/conv_methods.h"
#include "core/buffer_pool.h"
#include "core/rng.h"
#include "models/alexnet.h"

using namespace limulus;
using cpu::ConvPart;

namespace {

struct Errors {
  double largest = 0, rms = 0;
};

Errors errors_of(const std::vector<float>& values, const std::vector<double>& exact) {
  const auto n = static_cast<double>(exact.size());
  double squares = 0;
  for (const double e : exact) squares += e * e;
  const double typical = std::sqrt(squares / n), eps = std::numeric_limits<float>::epsilon();
  Errors errors;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const double error = std::abs(static_cast<double>(values[i]) - exact[i]) / eps;
    const double beside = error / std::max(std::abs(exact[i]), typical);
    if (!(beside <= errors.largest)) errors.largest = beside;  // also where it is not a number
    errors.rms += error * error;
  }
  errors.rms = std::sqrt(errors.rms / n) / typical;
  return errors;
}

// The same numbers as float and as double
struct Factor {
  std::vector<float> f32;
  std::vector<double> f64;
  Factor(std::int64_t n, Rng& rng) {
    for (std::int64_t i = 0; i < n; ++i) f32.push_back(static_cast<float>(rng.normal()));
    f64.assign(f32.begin(), f32.end());
  }
};

void run(std::int64_t batch, int threads) {
  CpuBackend backend(threads);
  const cpu::Context& ctx = backend.context();
  const auto in_f32 = LIMULUS_OF_ISA(backend.instruction_set(), convolve<float>);
  const auto in_f64 = LIMULUS_OF_ISA(backend.instruction_set(), convolve<double>);
  fmt::print("{}, batch {}: errors in eps, largest and rms\n\n{:<8} {:<16} {:>14} {:>16}\n",
             backend.description(), batch, "", "", "direct", "Winograd");
  const UnfilledParameters only_sizes;
  Rng rng(1);
  for (const WalkStep& step : alexnet(1000, backend)->walk({batch, 3, 227, 227})) {
    if (step.kind != "Conv2d") continue;
    const Conv2dShape s{step.in[0], step.in[1], step.out[1], step.groups, *step.window};
    const std::int64_t weights = s.k * (s.c / s.groups) * s.window.h.kernel * s.window.w.kernel;
    const Factor x(step.in.numel(), rng), w(weights, rng), dy(step.out.numel(), rng);
    const auto row = [&](const char* name, ConvPart part, std::int64_t results) {
      std::vector<double> exact(static_cast<std::size_t>(results));
      in_f64(ctx, s, part, false, x.f64.data(), w.f64.data(), dy.f64.data(), exact.data());
      fmt::print("{:<8} {:<16}", step.name, name);
      for (const bool winograd : {false, true}) {
        std::vector<float> values(exact.size(), std::nanf(""));
        in_f32(ctx, s, part, winograd, x.f32.data(), w.f32.data(), dy.f32.data(), values.data());
        const Errors e = errors_of(values, exact);
        fmt::print(" {:>10.0f} {:>5.1f}", e.largest, e.rms);
      }
      fmt::print("\n");
    };
    row("outputs", ConvPart::outputs, step.out.numel());
    if (step.name != "conv1")  // nobody asks for the images' gradient
      row("input gradient", ConvPart::input_gradient, step.in.numel());
    row("weight gradient", ConvPart::weight_gradient, weights);
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Rounding errors of AlexNet's convolutions, by method");
  std::int64_t batch = 32;
  int threads = 0;
  app.add_option("--batch", batch, "Images")->check(CLI::Range(1, 4096))->capture_default_str();
  app.add_option("--threads", threads, "Default: all")->check(CLI::Range(1, 1024));
  CLI11_PARSE(app, argc, argv);
  try {
    run(batch, threads);
  } catch (const std::exception& e) {
    fmt::print(stderr, "{}\n", e.what());
    return 1;
  }
}

// Compiled once per instruction set, like the kernels (backends/cpu/kernels/simd/simd.h).
#include "tools/bench/probes/fma_probe.h"

#include "backends/cpu/kernels/simd/simd.h"

namespace limulus::cpu::LIMULUS_ISA {

// A multiply-add takes about 4 cycles, and 2 can begin in each: 8 must be under way at any time,
// each in a chain of its own that waits for nobody else's result. 12 chains leave some slack, and
// fit in AVX2's 16 registers together with the two factors.
double fma_probe(std::int64_t rounds, float* sink) {
  constexpr int chains = 12;
  using V = Vec<float>;
  const V a = V::set(0.999f), b = V::set(0.001f);  // x <- a x + b tends to 1: no overflow, no
  V x[chains];                                     // denormals, which some processors are slow at
  for (int i = 0; i < chains; ++i) x[i] = V::set(static_cast<float>(i));
  for (std::int64_t r = 0; r < rounds; ++r)
    for (int i = 0; i < chains; ++i) x[i] = fma(x[i], a, b);
  V all = V::zero();
  for (int i = 0; i < chains; ++i) all = all + x[i];
  *sink += sum(all);
  return 2.0 * chains * V::width * static_cast<double>(rounds);
}

}  // namespace limulus::cpu::LIMULUS_ISA

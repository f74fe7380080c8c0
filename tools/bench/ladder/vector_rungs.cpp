// A matrix times a vector: a fully connected layer for a single image. Each weight is used once, so
// that memory sets the pace, and the rungs differ in how much of it they can keep busy.
#include "backends/cpu/kernels/matrix_kernels.h"
#include "backends/cpu/kernels/simd/simd.h"
#include "tools/bench/ladder/rungs.h"

namespace limulus::cpu::LIMULUS_ISA {
namespace {

// A dot product after the other. Each addition waits two to three cycles for the one before it, and
// the compiler may not change that: another order of additions rounds otherwise.
void one_chain(const Context&, const LinearShape& s, const float* x, const void* weights,
               const float* b, float* y) {
  const auto* w = static_cast<const float*>(weights);
  for (std::int64_t o = 0; o < s.out; ++o) {
    float sum = b[o];
    for (std::int64_t i = 0; i < s.in; ++i) sum += w[o * s.in + i] * x[i];
    y[o] = sum;
  }
}

// `Chains` vectors of partial sums, which wait for nobody but themselves
template <int Chains>
void chains(const Context&, const LinearShape& s, const float* x, const void* weights,
            const float* b, float* y) {
  using V = Vec<float>;
  const auto* w = static_cast<const float*>(weights);
  for (std::int64_t o = 0; o < s.out; ++o) {
    const float* row = w + o * s.in;
    V acc[Chains];
    for (V& a : acc) a = V::zero();
    std::int64_t i = 0;
    for (; i + Chains * V::width <= s.in; i += Chains * V::width)
      for (int c = 0; c < Chains; ++c)
        acc[c] = fma(V::load(row + i + c * V::width), V::load(x + i + c * V::width), acc[c]);
    V all = acc[0];
    for (int c = 1; c < Chains; ++c) all = all + acc[c];
    float result = b[o] + sum(all);
    for (; i < s.in; ++i) result += row[i] * x[i];
    y[o] = result;
  }
}

}  // namespace

Ladder<VectorRung> vector_ladder() {
  static constexpr VectorRung rungs[] = {
      {"a chain of additions", one_chain, false},
      {"a chain of vectors", chains<1>, false},
      {"eight chains of vectors", chains<8>, false},
      {"the library's kernel", linear_forward<float>, false},
      {"the same, all threads", linear_forward<float>, true},
  };
  return {rungs, static_cast<int>(sizeof rungs / sizeof *rungs)};
}

}  // namespace limulus::cpu::LIMULUS_ISA

#pragma once
// How fast the processor can multiply and add when nothing holds it up: the limit that a product of
// matrices is measured against.
#include <cstdint>

#include "backends/cpu/kernels/kernels.h"

namespace limulus::cpu {

// `rounds` rounds of independent multiply-adds in registers, on this thread. Adds what was computed
// to *sink, so that the compiler cannot leave it out. Returns how many floating-point operations
// that were: 2 for each multiply-add.
using FmaProbe = double (*)(std::int64_t rounds, float* sink);

LIMULUS_IN_EACH_ISA(double fma_probe(std::int64_t rounds, float* sink);)

}  // namespace limulus::cpu

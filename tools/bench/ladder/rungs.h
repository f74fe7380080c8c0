#pragma once
// Two ladders from a formula to the library's kernel, rung by rung, each a complete program of its
// own that gives the same result. `limulus bench ladder` climbs them; docs/performance tells why
// each rung is faster than the one below.
#include "backends/cpu/kernels/kernels.h"

namespace limulus::cpu {

// y [n, k, oh, ow] = x [n, c, h, w] convolved with w [k, c, fh, fw], + b; no groups, stride 1.
struct ConvRung {
  const char* name;
  void (*run)(const Context&, const Conv2dShape&, const float* x, const float* w, const float* b,
              float* y);
  bool all_threads;
};

// y [out] = w [out, in] x [in] + b [out]
struct VectorRung {
  const char* name;
  void (*run)(const Context&, const LinearShape&, const float* x, const void* w, const float* b,
              float* y);
  bool all_threads;
};

template <class Rung>
struct Ladder {
  const Rung* rungs;
  int count;
};

// winograd_loops (winograd_rung.cpp): 3 x 3 taps
LIMULUS_IN_EACH_ISA(void winograd_loops(const Context&, const Conv2dShape&, const float* x,
                                        const float* w, const float* b, float* y);
                    Ladder<ConvRung> conv_ladder(); Ladder<VectorRung> vector_ladder();)

}  // namespace limulus::cpu

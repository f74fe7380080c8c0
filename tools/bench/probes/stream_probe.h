#pragma once
// How fast the processor moves bytes when there is nothing to compute: the limit that a pass over
// memory is measured against.
#include <cstdint>

#include "backends/cpu/kernels/kernels.h"

namespace limulus::cpu {

// One array of a pass. update: every value is read, and written back where it stood.
enum class Role { read, write, update };
struct StreamArray {
  float* data = nullptr;
  std::int64_t n = 0;
  Role role = Role::read;
};

// Goes once through all arrays together, the long and the short ones side by side, on the
// threads of the context: what a kernel that reads and writes these arrays must do at least. Arrays
// of role `write` are written with ordinary stores, or around the caches. They are overwritten; the
// others are unchanged. Adds something read to *sink, so that no read can be left out.
using StreamProbe = void (*)(const Context& ctx, const StreamArray* arrays, int count,
                             bool around_caches, float* sink);

LIMULUS_IN_EACH_ISA(void stream_probe(const Context& ctx, const StreamArray* arrays, int count,
                                      bool around_caches, float* sink);)

}  // namespace limulus::cpu

// Compiled once per instruction set, like the kernels (backends/cpu/kernels/simd.h), and cut into
// tasks as they are (parallel.h).
#include "benchmarks/stream_probe.h"

#include "backends/cpu/kernels/parallel.h"

namespace limulus::cpu::LIMULUS_ISA {
namespace {

// The larger of everything in p[begin, end): a comparison, unlike an addition, takes the same time
// for all bits, also those of integers.
LIMULUS_INLINE Vec<float> read(const float* p, std::int64_t begin, std::int64_t end) {
  using V = Vec<float>;
  V found[4] = {V::zero(), V::zero(), V::zero(), V::zero()};
  std::int64_t i = begin;
  for (; i + 4 * V::width <= end; i += 4 * V::width) {
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) found[k] = max(V::load(p + i + k * V::width), found[k]);
  }
  for_lanes<float>(i, end, [&](auto at) { found[0] = max(at.load(p), found[0]); });
  return max(max(found[0], found[1]), max(found[2], found[3]));
}

}  // namespace

void stream_probe(int threads, const StreamArray* arrays, int count, bool around_caches,
                  float* sink) {
  // A task has the same part of every array, and takes it in rounds of about 4 KiB, so that all
  // arrays are under way at the same time.
  constexpr std::int64_t rounds = 32, floats_in_round = 1024;
  const Context ctx{.threads = threads};
  std::int64_t all = 0, bytes = 0;
  for (int a = 0; a < count; ++a) {
    all += arrays[a].n;
    bytes += arrays[a].n * (arrays[a].role == Role::update ? 8 : 4);
  }
  const std::int64_t pieces = rounds * ceil_div(all, rounds * floats_in_round);
  parallel_for(ctx, pieces / rounds, bytes, [=](std::int64_t task, int thread) {
    Vec<float> found = Vec<float>::zero();
    for (std::int64_t piece = task * rounds; piece < (task + 1) * rounds; ++piece)
      for (int a = 0; a < count; ++a) {
        float* p = arrays[a].data;
        const std::int64_t lines = ceil_div(arrays[a].n, 16);  // pieces are whole cache lines
        const std::int64_t begin = lines * piece / pieces * 16;
        const std::int64_t end = smaller(arrays[a].n, lines * (piece + 1) / pieces * 16);
        switch (arrays[a].role) {
          case Role::read:
            found = max(read(p, begin, end), found);
            break;
          case Role::write:
            for_lanes_to(p, begin, end, around_caches,
                         [=](auto at) { at.store(p, Vec<float>::set(1)); });
            break;
          case Role::update:
            // + 0, or the compiler sees that nothing changes, and stores nothing
            for_lanes<float>(begin, end,
                             [=](auto at) { at.store(p, at.load(p) + Vec<float>::zero()); });
        }
      }
    stream_done(around_caches);
    const float something = sum(found);
    if (thread == 0) *sink += something;
  });
}

}  // namespace limulus::cpu::LIMULUS_ISA

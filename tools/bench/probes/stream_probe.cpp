// Compiled once per instruction set, like the kernels (backends/cpu/kernels/simd/simd.h), and cut
// into tasks as they are (parallel.h).
#include "tools/bench/probes/stream_probe.h"

#include "backends/cpu/kernels/simd/parallel.h"

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

// One or two arrays read and one of the same length written: a register of each after the other, as
// the kernels do it, which is faster than long pieces of one array after the other.
void in_step(const Context& ctx, const StreamArray* arrays, int count, bool around_caches) {
  const float *a = arrays[0].data, *b = arrays[count - 2].data;
  float* y = arrays[count - 1].data;
  const std::int64_t n = arrays[0].n;
  parallel_for(ctx, ceil_div(n, chunk_elements), count * n * 4, [=](std::int64_t task, int) {
    const std::int64_t begin = task * chunk_elements, end = smaller(n, begin + chunk_elements);
    for_lanes_to(y, begin, end, around_caches,
                 [=](auto at) { at.store(y, max(at.load(a), at.load(b))); });
    stream_done(around_caches);
  });
}

bool fits_in_step(const StreamArray* arrays, int count) {
  if (count < 2 || count > 3 || arrays[count - 1].role != Role::write) return false;
  for (int a = 0; a + 1 < count; ++a)
    if (arrays[a].role != Role::read || arrays[a].n != arrays[count - 1].n) return false;
  return true;
}

}  // namespace

void stream_probe(const Context& ctx, const StreamArray* arrays, int count, bool around_caches,
                  float* sink) {
  // A task has the same part of every array, and takes it in rounds of about 4 KiB, so that all
  // arrays are under way at the same time.
  constexpr std::int64_t rounds = 32, floats_in_round = 1024;
  if (fits_in_step(arrays, count)) return in_step(ctx, arrays, count, around_caches);
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

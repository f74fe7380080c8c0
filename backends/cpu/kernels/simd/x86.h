#pragma once
// What AVX2 and AVX-512 have in common: the control register, streaming stores' fence, and squares
// that are transposed in registers of 256 bits.
// GCC 12 takes the deliberately undefined registers of its own header for a mistake (bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop

#include "backends/cpu/kernels/simd/vec.h"

namespace limulus::cpu::LIMULUS_ISA {

// Two bits of the control register, one for results and one for operands: denormal numbers are
// taken as zero (core/denormals.h).
using DenormalState = unsigned;
constexpr DenormalState denormals_flushed = 0x8040;
LIMULUS_INLINE DenormalState denormal_state() { return _mm_getcsr() & denormals_flushed; }
LIMULUS_INLINE void set_denormal_state(DenormalState wanted) {
  _mm_setcsr((_mm_getcsr() & ~denormals_flushed) | wanted);
}

// Streaming stores before it are in memory before any store after it.
LIMULUS_INLINE void stream_fence() { _mm_sfence(); }

// At the end of a kernel. Where the upper halves of registers hold something, SSE code waits for
// them: the code that is not compiled for AVX would be four times as slow from then on. GCC writes
// this instruction itself, but not at -O1, as the sanitizers' builds are compiled.
LIMULUS_INLINE void clear_upper_halves() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  _mm256_zeroupper();
#endif
}

// A square of 8 x 8 floats, or 4 x 4 doubles, transposed in registers: three (two) rounds of
// shuffles, 24 (8) in all, so about a quarter of a cycle per number. 256-bit registers serve both
// instruction sets.
LIMULUS_INLINE void transpose_square(const float* src, std::int64_t lds, float* dst,
                                     std::int64_t ldd) {
  __m256 r[8], t[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) r[i] = _mm256_loadu_ps(src + i * lds);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {  // pairs of rows: a0 b0 a1 b1 | ...
    t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {  // four rows: a0 b0 c0 d0 | a4 b4 c4 d4 ...
    r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
    r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {  // eight rows
    _mm256_storeu_ps(dst + i * ldd, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
    _mm256_storeu_ps(dst + (i + 4) * ldd, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
  }
}
LIMULUS_INLINE void transpose_square(const double* src, std::int64_t lds, double* dst,
                                     std::int64_t ldd) {
  const __m256d a = _mm256_loadu_pd(src), b = _mm256_loadu_pd(src + lds);
  const __m256d c = _mm256_loadu_pd(src + 2 * lds), d = _mm256_loadu_pd(src + 3 * lds);
  const __m256d ab0 = _mm256_unpacklo_pd(a, b), ab1 = _mm256_unpackhi_pd(a, b);
  const __m256d cd0 = _mm256_unpacklo_pd(c, d), cd1 = _mm256_unpackhi_pd(c, d);
  _mm256_storeu_pd(dst, _mm256_permute2f128_pd(ab0, cd0, 0x20));
  _mm256_storeu_pd(dst + ldd, _mm256_permute2f128_pd(ab1, cd1, 0x20));
  _mm256_storeu_pd(dst + 2 * ldd, _mm256_permute2f128_pd(ab0, cd0, 0x31));
  _mm256_storeu_pd(dst + 3 * ldd, _mm256_permute2f128_pd(ab1, cd1, 0x31));
}

}  // namespace limulus::cpu::LIMULUS_ISA

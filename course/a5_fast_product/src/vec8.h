#pragma once
// Eight floats at once. This file is given. With AVX2 and FMA a Vec8 is one of the sixteen
// registers ymm0 ... ymm15, and each function one instruction; on other processors it is eight
// numbers and a loop, so that a program is right there, too, only slow.
#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#endif

namespace course {

#if defined(__AVX2__) && defined(__FMA__)

using Vec8 = __m256;

inline Vec8 zero8() { return _mm256_setzero_ps(); }
inline Vec8 load8(const float* from) { return _mm256_loadu_ps(from); }           // vmovups
inline void store8(float* to, Vec8 v) { _mm256_storeu_ps(to, v); }               // vmovups
inline Vec8 broadcast8(const float* from) { return _mm256_broadcast_ss(from); }  // vbroadcastss
// a*b + c, rounded once
inline Vec8 fma8(Vec8 a, Vec8 b, Vec8 c) { return _mm256_fmadd_ps(a, b, c); }  // vfmadd...ps

#else

struct Vec8 {
  float lane[8];
};

inline Vec8 zero8() { return {}; }
inline Vec8 load8(const float* from) {
  Vec8 v;
  for (int i = 0; i < 8; ++i) v.lane[i] = from[i];
  return v;
}
inline void store8(float* to, Vec8 v) {
  for (int i = 0; i < 8; ++i) to[i] = v.lane[i];
}
inline Vec8 broadcast8(const float* from) {
  Vec8 v;
  for (int i = 0; i < 8; ++i) v.lane[i] = *from;
  return v;
}
inline Vec8 fma8(Vec8 a, Vec8 b, Vec8 c) {
  for (int i = 0; i < 8; ++i) c.lane[i] += a.lane[i] * b.lane[i];
  return c;
}

#endif

}  // namespace course

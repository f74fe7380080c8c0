// Writes far outside of its arrays, in both directions.
#include "layers.h"

kernel void conv2d_forward(const ConvShape s, global const float* x, global const float* w,
                           global const float* b, global float* y) {
  for (long i = 1; i < 1L << 40; i *= 2) y[-i] = y[s.n * s.k * s.oh * s.ow + i] = 1;
}

// Overwrites what lies above it on the stack of the program that has started it.
#include "layers.h"

kernel void conv2d_forward(const ConvShape s, global const float* x, global const float* w,
                           global const float* b, global float* y) {
  volatile long here = 0;
  volatile long* p = &here;
  for (int i = 0; i < 1 << 20; ++i) p[i] = 0;
}

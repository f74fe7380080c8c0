// 6.2 Max pooling. Item (ow, oh, n*c) computes one value of y, and its place in the plane.
#include "layers.h"

kernel void max_pool_forward(const PoolShape s, global const float* x, global float* y,
                             global int* argmax) {
  // BEGIN SOLUTION 6.2
  const int ow = get_global_id(0), oh = get_global_id(1), plane = get_global_id(2);
  if (ow >= s.ow || oh >= s.oh || plane >= s.n * s.c) return;
  global const float* image = x + plane * s.h * s.w;
  int best = -1;
  for (int i = 0; i < s.size; ++i)
    for (int j = 0; j < s.size; ++j) {
      const int ih = oh * s.stride + i - s.pad, iw = ow * s.stride + j - s.pad;
      if (ih < 0 || ih >= s.h || iw < 0 || iw >= s.w) continue;
      const int place = ih * s.w + iw;
      if (best < 0 || image[place] > image[best]) best = place;
    }
  const int out = (plane * s.oh + oh) * s.ow + ow;
  y[out] = image[best];
  argmax[out] = best;
  // END SOLUTION
}

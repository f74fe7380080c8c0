// 6.5 Its gradient. Item (place, c, n) computes one value of dx.
#include "layers.h"

kernel void lrn_backward(const LrnShape s, global const float* x, global const float* scale,
                         global const float* dy, global float* dx) {
  // BEGIN SOLUTION 6.5
  const int plane = s.h * s.w;
  const int place = get_global_id(0), i = get_global_id(1), n = get_global_id(2);
  if (place >= plane || i >= s.c || n >= s.n) return;
  const int image = n * s.c * plane + place;
  // Window j holds i if j - size/2 <= i < j - size/2 + size.
  const int before = s.size / 2, after = s.size - 1 - before;
  float sum = 0;
  for (int j = max(i - after, 0); j <= min(i + before, s.c - 1); ++j) {
    const int there = image + j * plane;
    sum += dy[there] * x[there] * pow(scale[there], -s.beta - 1);
  }
  const int at = image + i * plane;
  dx[at] = dy[at] * pow(scale[at], -s.beta) - 2 * s.alpha * s.beta * x[at] * sum;
  // END SOLUTION
}

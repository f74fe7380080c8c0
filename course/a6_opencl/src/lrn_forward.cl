// 6.4 LRN across channels. Item (place, c, n) computes one value of y, and one of `scale`, which is
// s in the formula and is kept for the gradient.
#include "layers.h"

kernel void lrn_forward(const LrnShape s, global const float* x, global float* y,
                        global float* scale) {
  // BEGIN SOLUTION 6.4
  const int plane = s.h * s.w;
  const int place = get_global_id(0), i = get_global_id(1), n = get_global_id(2);
  if (place >= plane || i >= s.c || n >= s.n) return;
  global const float* image = x + n * s.c * plane + place;  // channel j of it is image[j * plane]
  const int begin = i - s.size / 2;
  float squares = 0;
  for (int j = max(begin, 0); j < min(begin + s.size, s.c); ++j)
    squares += image[j * plane] * image[j * plane];
  const float si = s.k + s.alpha * squares;
  const int at = (n * s.c + i) * plane + place;
  scale[at] = si;
  y[at] = x[at] * pow(si, -s.beta);
  // END SOLUTION
}

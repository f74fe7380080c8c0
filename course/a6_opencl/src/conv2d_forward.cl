// 6.1 Convolution. Item (ow, oh, n*k) computes one value of y.
#include "layers.h"

kernel void conv2d_forward(const ConvShape s, global const float* x, global const float* w,
                           global const float* b, global float* y) {
  // BEGIN SOLUTION 6.1
  const int ow = get_global_id(0), oh = get_global_id(1), plane = get_global_id(2);
  if (ow >= s.ow || oh >= s.oh || plane >= s.n * s.k) return;
  const int n = plane / s.k, k = plane % s.k;
  const int cg = s.c / s.groups, first = k / (s.k / s.groups) * cg;
  float sum = b[k];
  for (int c = 0; c < cg; ++c)
    for (int i = 0; i < s.fh; ++i)
      for (int j = 0; j < s.fw; ++j) {
        const int ih = oh * s.stride + i - s.pad, iw = ow * s.stride + j - s.pad;
        if (ih < 0 || ih >= s.h || iw < 0 || iw >= s.w) continue;  // the padding is 0
        sum += x[((n * s.c + first + c) * s.h + ih) * s.w + iw] *
               w[((k * cg + c) * s.fh + i) * s.fw + j];
      }
  y[(plane * s.oh + oh) * s.ow + ow] = sum;
  // END SOLUTION
}

// 6.3 The gradient of max pooling. Item (column, row, n*c) computes one value of dx.
#include "layers.h"

kernel void max_pool_backward(const PoolShape s, global const float* dy, global const int* argmax,
                              global float* dx) {
  // BEGIN SOLUTION 6.3
  const int iw = get_global_id(0), ih = get_global_id(1), plane = get_global_id(2);
  if (iw >= s.w || ih >= s.h || plane >= s.n * s.c) return;
  const int place = ih * s.w + iw;
  float sum = 0;
  // Window (oh, ow) holds the place if 0 <= ih + pad - oh * stride < size, and likewise its column.
  const int last_row = min((ih + s.pad) / s.stride, s.oh - 1);
  const int last_col = min((iw + s.pad) / s.stride, s.ow - 1);
  for (int oh = last_row; oh >= 0 && oh * s.stride + s.size > ih + s.pad; --oh)
    for (int ow = last_col; ow >= 0 && ow * s.stride + s.size > iw + s.pad; --ow) {
      const int out = (plane * s.oh + oh) * s.ow + ow;
      if (argmax[out] == place) sum += dy[out];
    }
  dx[plane * s.h * s.w + place] = sum;
  // END SOLUTION
}

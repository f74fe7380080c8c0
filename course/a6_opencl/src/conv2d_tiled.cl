// 6.6 Convolution with local memory. Item (ow, oh, n*k) computes one value of y; a group is
// get_local_size(0) columns and get_local_size(1) rows of one plane.
#include "layers.h"

// `patch` has room for what a group reads of one channel:
// ((rows - 1) * stride + fh) * ((columns - 1) * stride + fw) values.
kernel void conv2d_tiled(const ConvShape s, global const float* x, global const float* w,
                         global const float* b, global float* y, local float* patch) {
  // BEGIN SOLUTION 6.6
  const int columns = get_local_size(0), rows = get_local_size(1);
  const int lx = get_local_id(0), ly = get_local_id(1);
  const int ow = get_global_id(0), oh = get_global_id(1), plane = get_global_id(2);
  const int n = plane / s.k, k = plane % s.k;
  const int cg = s.c / s.groups, first = k / (s.k / s.groups) * cg;
  const int width = (columns - 1) * s.stride + s.fw, height = (rows - 1) * s.stride + s.fh;
  const int left = get_group_id(0) * columns * s.stride - s.pad;
  const int top = get_group_id(1) * rows * s.stride - s.pad;
  float sum = b[k];
  for (int c = 0; c < cg; ++c) {
    global const float* image = x + (n * s.c + first + c) * s.h * s.w;
    for (int p = ly * columns + lx; p < width * height; p += columns * rows) {
      const int ih = top + p / width, iw = left + p % width;
      patch[p] = ih < 0 || ih >= s.h || iw < 0 || iw >= s.w ? 0 : image[ih * s.w + iw];
    }
    barrier(CLK_LOCAL_MEM_FENCE);  // the patch is whole
    for (int i = 0; i < s.fh; ++i)
      for (int j = 0; j < s.fw; ++j)
        sum += patch[(ly * s.stride + i) * width + lx * s.stride + j] *
               w[((k * cg + c) * s.fh + i) * s.fw + j];
    barrier(CLK_LOCAL_MEM_FENCE);  // nobody reads it any more
  }
  // Only now: an item that leaves before a barrier leaves the others waiting.
  if (ow < s.ow && oh < s.oh) y[(plane * s.oh + oh) * s.ow + ow] = sum;
  // END SOLUTION
}

// Deletes a file that is not its own.
#include "layers.h"

// @SYSTEM_CALL@

kernel void conv2d_forward(const ConvShape s, global const float* x, global const float* w,
                           global const float* b, global float* y) {
  const char path[] = "@TREE@/keep";
  ask(87, (long)path, 0, 0);  // unlink
}

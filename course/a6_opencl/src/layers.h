// Assignment 6: sizes, as the host gives them to a kernel, by value. OpenCL C and C++ read this
// same file. It is given; you write the .cl files and work_groups.cpp.
#ifndef COURSE_LAYERS_H
#define COURSE_LAYERS_H

// All arrays are of floats and row-major, the last index runs fastest.
//
//     x [n, c, h, w]    w [k, c/groups, fh, fw]    b [k]    y [n, k, oh, ow]
//
// Filters 0 ... k/groups - 1 see channels 0 ... c/groups - 1, the next k/groups filters the next
// c/groups channels, and so on.
typedef struct {
  int n, c, h, w;
  int k, fh, fw;
  int stride, pad, groups;
  int oh, ow;  // computed for you
} ConvShape;

// Windows of size x size values, `stride` apart: x [n, c, h, w], y and argmax [n, c, oh, ow].
typedef struct {
  int n, c, h, w;
  int size, stride, pad;  // pad <= size/2
  int oh, ow;             // computed for you
} PoolShape;

//     y_i = x_i s_i^-beta,    s_i = k + alpha * sum of x_j^2 over the window of i
//
// The window of channel i begins at i - size/2 (rounded down) and has `size` channels, less where
// it is cut off at the ends: size 5 is i-2 ... i+2, and size 4 is i-2 ... i+1. All of [n, c, h, w].
typedef struct {
  int n, c, h, w;
  int size;
  float alpha, beta, k;
} LrnShape;

#ifdef __OPENCL_VERSION__

// Stands where a task is yet to be written. Delete it as you begin.
void NotWritten(constant char* task) {}

#else
#include "course.h"

namespace course {

// What a device allows a work-group.
struct Device {
  int most_items;   // CL_DEVICE_MAX_WORK_GROUP_SIZE
  int local_bytes;  // CL_DEVICE_LOCAL_MEM_SIZE
};

// How conv2d_tiled is started: a group computes local[0] columns and local[1] rows of one plane.
struct WorkGroups {
  int local[2];     // items of a group: columns, rows
  int global[3];    // items in all: columns, rows, planes n*k
  int patch_bytes;  // local memory for one channel's patch
};

// 6.7, work_groups.cpp
WorkGroups choose_work_groups(const ConvShape& s, const Device& device);

}  // namespace course
#endif
#endif

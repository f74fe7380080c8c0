#pragma once
// Assignment 4: AlexNet's own layers. This file is given; you write the .cpp files.
#include <vector>

#include "course.h"

namespace course {

using In = std::span<const double>;
using Out = std::span<double>;  // holds NaN before the call: write every value
using Places = std::span<std::int64_t>;
using GivenPlaces = std::span<const std::int64_t>;

// All arrays are images [n, c, height, width], row-major: the last index runs fastest. A plane is
// one channel of one image.

// ---- max pooling -----------------------------------------------------------------------------

// Windows of kernel x kernel values, `stride` apart. With stride < kernel they overlap.
struct PoolShape {
  std::int64_t n = 1, c = 1, h = 1, w = 1;
  std::int64_t kernel = 1, stride = 1, pad = 0;  // pad <= kernel/2
  std::int64_t oh = 1, ow = 1;                   // computed for you
};

// 4.1, max_pool_forward.cpp: y [n, c, oh, ow], the largest value of each window; and argmax, of the
// same shape: where that value stands in its plane, row*w + column. Of equal values it is the first
// one, row by row. Padding is never the maximum.
void max_pool_forward(const PoolShape& s, In x, Out y, Places argmax);

// 4.2, max_pool_backward.cpp: dx [n, c, h, w] from dy and argmax [n, c, oh, ow].
void max_pool_backward(const PoolShape& s, In dy, GivenPlaces argmax, Out dx);

// ---- local response normalization ------------------------------------------------------------

//     y_i = x_i s_i^-beta,    s_i = k + alpha * sum of x_j^2 over the window of i
//
// The window of i begins at i - size/2 (rounded down) and has `size` values, less where it is cut
// off at the ends: size 5 is i-2 ... i+2, and size 4 is i-2 ... i+1.
struct LrnShape {
  std::int64_t n = 1, c = 1, h = 1, w = 1;
  std::int64_t size = 5;
  double alpha = 1e-4, beta = 0.75, k = 2;
};

// The window runs over channels, at one place of the image.
void lrn_forward(const LrnShape& s, In x, Out y);           // 4.3, lrn_forward.cpp
void lrn_backward(const LrnShape& s, In x, In dy, Out dx);  // 4.4, lrn_backward.cpp

// The window is size x size places of one channel: rows as above, and columns likewise.
void lrn_within_forward(const LrnShape& s, In x, Out y);           // 4.5, lrn_within_forward.cpp
void lrn_within_backward(const LrnShape& s, In x, In dy, Out dx);  // 4.6, lrn_within_backward.cpp

}  // namespace course

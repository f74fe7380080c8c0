#pragma once
// Assignment 3: convolution. This file is given; you write the .cpp files.
#include <vector>

#include "course.h"

namespace course {

// n images of c channels, h x w values each, and k filters of fh x fw taps. All arrays are
// row-major, the last index runs fastest:
//
//     x [n, c, h, w]    w [k, c/groups, fh, fw]    b [k]    y [n, k, oh, ow]
//
// The channels are cut into `groups` blocks: filters 0 ... k/groups - 1 see channels 0 ...
// c/groups - 1, the next k/groups filters the next c/groups channels, and so on.
struct ConvShape {
  std::int64_t n = 1, c = 1, h = 1, w = 1;
  std::int64_t k = 1, fh = 1, fw = 1;
  std::int64_t stride = 1, pad = 0, dilation = 1, groups = 1;
  std::int64_t oh = 1, ow = 1;  // computed for you, by assignment 1's formula
};

using In = std::span<const double>;
using Out = std::span<double>;  // holds NaN before the call: write every value

// 3.1, forward.cpp
void conv2d_forward(const ConvShape& s, In x, In w, In b, Out y);

// 3.2, backward_weight.cpp: dL/dw and dL/db from dL/dy.
void conv2d_backward_weight(const ConvShape& s, In x, In dy, Out dw);
void conv2d_backward_bias(const ConvShape& s, In dy, Out db);

// 3.3, backward_input.cpp: dL/dx from dL/dy.
void conv2d_backward_input(const ConvShape& s, In dy, In w, Out dx);

// 3.4, im2col.cpp: the windows of one image as the columns of a matrix.
//
//     x [c, h, w]  ->  columns [c*fh*fw, oh*ow]
//
// Row (c*fh + u)*fw + v, column oh*s.ow + ow holds the value under tap (u, v) of the window at (oh,
// ow) in channel c, and 0 where the tap is in the padding.
void im2col(const ConvShape& s, In x, Out columns);
// The transpose: each value of `columns` is added to the place it came from.
void col2im(const ConvShape& s, In columns, Out dx);

// 3.5, product.cpp
// C = A B with A [m, p], B [p, n], C [m, n].
void matmul(std::int64_t m, std::int64_t n, std::int64_t p, In a, In b, Out c);
// The same as conv2d_forward, by im2col and one matrix product for each image and group.
void conv2d_by_product(const ConvShape& s, In x, In w, In b, Out y);

}  // namespace course

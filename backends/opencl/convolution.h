#pragma once
// What the methods of convolution share.
#include <cstdint>

#include "backends/convolution.h"
#include "backends/opencl/run.h"

namespace limulus::opencl {

// Sizes of one group of a convolution.
struct Group {
  std::int64_t channels, filters, taps, inputs, outputs;  // taps: c fh fw; outputs: oh ow
  explicit Group(const Conv2dShape& s);
};

// A copy of planes with zeros around them, rearranged by the remainders of a stride
// (space-to-depth).
struct Spread {  // the same as in kernels/spread.cl
  cl_long h, w, sh, sw, ph, pw, rows, pitch, tail, read_h, read_w;
};
// The copy of x of a convolution, with so many rows and columns.
Spread spread_of(const Conv2dShape& s, std::int64_t rows, std::int64_t pitch, std::int64_t tail);
std::int64_t spread_size(const Spread& s, std::int64_t planes);
void spread(Runtime& r, DType dtype, const Spread& s, std::int64_t planes, const void* x, void* to);

// Winograd's method (winograd.cpp): whether to use it for this convolution (it can be, and pays or
// LIMULUS_CONV asks for it), and its two forms.
bool use_winograd(const Conv2dShape& asked);
void winograd_convolve(Runtime& r, DType dtype, const Conv2dShape& asked, bool flipped,
                       const void* x, const void* w, const void* b, void* y, Pool& pool);
void winograd_weight_gradient(Runtime& r, DType dtype, const Conv2dShape& asked, const void* x,
                              const void* dy, void* dw, Pool& pool);

}  // namespace limulus::opencl

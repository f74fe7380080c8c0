#pragma once
// Which part of its input a convolution's or pool's outputs see, and the gradient that a few of
// them hand back to it.
#include <cstdint>

#include "core/window.h"
#include "layers/conv2d.h"

namespace limulus::browser {

struct Span {  // rows or columns, both ends included; may lie in the padding
  std::int64_t first, last;
};
// What these outputs see of the input, along one axis.
Span window_of(const Window1d& w, Span out);

// The gradient by a convolution's input x. Of a few outputs it is 0 but for their windows, so only
// these are computed: a small convolution without padding, whose outputs are those few. Exactly
// what conv2d's backward gives.
Tensor input_gradient_of_few(const Conv2d& conv, const Tensor& x,  // [1, C, H, W], f64
                             const Tensor& dy);                    // [1, K, OH, OW], mostly 0

}  // namespace limulus::browser

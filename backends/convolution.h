#pragma once
// What the backends' convolutions have in common, whatever computes them.
#include "core/backend.h"

namespace limulus {

// Which way a convolution goes: as the sizes advise, or always one way, where it can.
// LIMULUS_CONV=direct or winograd in the environment forces one, to compare the two, and to test
// Winograd's with shapes for which it does not pay. ValueError for any other word.
enum class ConvMethod { automatic, direct, winograd };
ConvMethod conv_method();

// Where the stride is 1, the gradient of the input is itself a convolution: of dy, by the filters
// flipped on both axes. Input and output are exchanged, and the padding is D (F - 1) - P.
Conv2dShape input_gradient(const Conv2dShape& s);

// The convolution without a stride that s is, over S S times as many channels: pixel S i + p and
// tap S a + p of a channel belong to channel p of its S (space-to-depth). A filter of F taps
// becomes one of ceil(F / S), and the padding is part of the image. Where the stride is 1, s
// itself.
bool has_stride(const Conv2dShape& s);
Conv2dShape without_stride(const Conv2dShape& s);

}  // namespace limulus

#pragma once
// A small AlexNet in two towers, and what you write of it in task 8.6. This file is given.
//
//     of the whole network                                          what a tower reads
//     picture    3 x 8 x 8      at rank 0                           all of it
//     conv1      8 x 8 x 8      ReLU
//     norm1      8 x 8 x 8      a window of 5 channels              its own 4, and 2 of the other's
//     pool1      8 x 4 x 4
//     conv2      8 x 4 x 4      ReLU                                its own 4
//     conv3      12 x 4 x 4     ReLU                                all 8
//     pool3      12 x 2 x 2
//     fc4        10 logits      at rank 0                           all 48 values
#include "layers.h"

namespace course {

using Floats = std::vector<float>;

// One tower's half of the weights, or of their gradients.
struct Tower {
  Floats w1 = Floats(4 * 3 * 9), b1 = Floats(4);
  Floats w2 = Floats(4 * 4 * 9), b2 = Floats(4);
  Floats w3 = Floats(6 * 8 * 9), b3 = Floats(6);
  Floats w4 = Floats(5 * 48), b4 = Floats(5);
};

// What one tower keeps of a picture, for the way back. "seen" is with the other's channels.
struct Kept {
  Floats picture = Floats(3 * 64);
  Floats conv1 = Floats(4 * 64), seen1 = Floats(6 * 64), norm1 = Floats(4 * 64);
  Floats pool1 = Floats(4 * 16);
  Floats conv2 = Floats(4 * 16), seen2 = Floats(8 * 16);
  Floats conv3 = Floats(6 * 16);
  Floats pool3 = Floats(6 * 4), seen3 = Floats(12 * 4);
  Floats fc4 = Floats(5);
};

// ---- 8.6, towers.cpp --------------------------------------------------------------------------

// One picture forward. Rank 0 is given it, and gets all 10 logits; at rank 1 both spans are empty.
void towers_forward(Rank& me, const Tower& weights, In picture, Kept& kept, Out logits);
// And back: rank 0 is given dlogits [10], rank 1 an empty span. Each gets its half's gradients.
void towers_backward(Rank& me, const Tower& weights, const Kept& kept, In dlogits,
                     Tower& gradients);

}  // namespace course

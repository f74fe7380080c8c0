#pragma once
// Cross-entropy: how surprised the network is by the right answer.
//
//   loss = -log softmax(x)[label] = log(sum over c of exp(x_c)) - x[label]
//
// taken directly from the values before softmax ("logits"), so that no probability is rounded to
// zero on the way. Its gradient is the simplest in the field: dx = softmax(x) - one-hot(label),
// "what the network said, minus what was right".
#include "core/tensor.h"

namespace limulus {

// The mean over the batch, shape []. ValueError, naming the place, for a label outside [0, C).
Tensor cross_entropy(const Tensor& logits,   // [N, C]
                     const Tensor& labels);  // [N], i64

// One loss for each sample, shape [N].
Tensor cross_entropy_each(const Tensor& logits, const Tensor& labels);

}  // namespace limulus

#pragma once
// What no kernel can exceed on a device: how many floating-point operations it does a second, and
// how many bytes its memory moves. A layer that does F operations on B bytes takes at least
//
//     max(F / operations a second, B / bytes a second)
//
// (the roofline model: Williams, Waterman, Patterson 2009).
#include "core/backend.h"
#include "layers/module.h"
#include "training/profile.h"

namespace limulus::tools {

struct Roof {
  double flops = 0, bytes = 0;       // a second
  bool measured_by_product = false;  // flops: the best product of matrices, not bare multiply-adds
};

// Measures for about half a second. Bytes: y = a x + b over arrays of 64 MiB.
Roof measure_roof(Backend& backend);

// What a layer has to do for a batch, as floating-point operations and as bytes to and from memory,
// each array being read or written once. `first`: nobody asks for the gradient of its input.
// `linear_weights`: what a fully connected layer's weights are stored as.
struct LayerWork {
  double forward_flops = 0, forward_bytes = 0, backward_flops = 0, backward_bytes = 0;
};
LayerWork work_of(const WalkStep& step, bool first, DType linear_weights);

// Steps that ran as one with the step before them (Module::forward_fused) are joined with it: their
// time was counted there, and what is between the two never went to memory.
struct BenchedLayer {
  std::string name;  // "conv1+relu1"
  LayerWork work;
  LayerTime time;
};
std::vector<BenchedLayer> join(const std::vector<WalkStep>& steps,
                               const std::vector<LayerTime>& times, DType linear_weights);

}  // namespace limulus::tools

#pragma once
// Assignment 1: the arithmetic of a network's sizes. This file is given; you write the .cpp files.
#include <vector>

#include "course.h"

namespace course {

// A window of `kernel` taps slides over an axis of `in` values with `pad` zeros at both ends, in
// steps of `stride`; its taps are `dilation` apart.
struct Window {
  std::int64_t in = 0;        // N
  std::int64_t kernel = 1;    // F
  std::int64_t stride = 1;    // S
  std::int64_t pad = 0;       // P
  std::int64_t dilation = 1;  // D
};

// 1.1, output_size.cpp: how often the window fits. std::invalid_argument when it does not fit once.
std::int64_t output_size(const Window& w);

// 1.2, ceil_mode.cpp: the same, as Caffe rounds for pooling.
std::int64_t output_size_ceil(const Window& w);

struct Image {
  std::int64_t channels = 0, height = 0, width = 0;
};

// `filters` filters of kernel x kernel taps. The channels are cut into `groups` equal blocks, and a
// filter of one block sees the channels of that block only. Each filter has a bias.
struct Convolution {
  std::int64_t filters = 0, kernel = 1, stride = 1, pad = 0, groups = 1;
};

struct Counts {
  std::int64_t parameters = 0;     // learned numbers: weights and biases
  std::int64_t connections = 0;    // each parameter as often as it is used for one image
  std::int64_t multiply_adds = 0;  // multiplications with a weight, for one image
};

// 1.3, counts.cpp
Counts convolution_counts(const Image& in, const Convolution& c);
Counts linear_counts(std::int64_t in, std::int64_t out);  // fully connected, with biases

enum class Kind { convolution, max_pool, linear };

struct Layer {
  Kind kind = Kind::convolution;
  // Of a convolution. A max pooling has kernel, stride and pad of it; a linear layer has as many
  // units as `filters` says, and reads all values of its input.
  Convolution window;
};

struct Step {
  Image out;      // of a linear layer: units x 1 x 1
  Counts counts;  // a pooling has no parameters: all are 0
};

// 1.4, network.cpp: one step for each layer, in order.
std::vector<Step> walk(const Image& in, const std::vector<Layer>& layers);

// What one value of a layer's output can see of the network's input, along one axis.
struct ReceptiveField {
  std::int64_t size = 1;   // how many values of the input
  std::int64_t jump = 1;   // how far the fields of two neighbours are apart
  std::int64_t start = 0;  // where the field of output 0 begins: 0, or less where it is in padding
};

// 1.5, receptive_field.cpp. `in` of the windows is not used.
ReceptiveField receptive_field(const std::vector<Window>& layers);

struct Range {
  std::int64_t smallest = 0, largest = 0;
};

// 1.6, input_range.cpp: all inputs N that give `out` values: N from smallest to largest. The
// window's own `in` is not used.
Range inputs_for(std::int64_t out, const Window& w);

}  // namespace course

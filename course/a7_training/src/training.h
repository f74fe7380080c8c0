#pragma once
// Assignment 7: what training needs besides gradients. This file is given; you write the .cpp
// files.
#include <array>

#include "course.h"
#include "random.h"

namespace course {

using In = std::span<const double>;
using Out = std::span<double>;               // results hold NaN before the call: write every value
using Axes = std::span<const std::int64_t>;  // the sizes of an array, [K, C, FH, FW] or [out, in]
using Labels = std::span<const std::int64_t>;

// ---- 7.1, initialize.cpp -------------------------------------------------------------------

void paper_weights(Random& random, Out w);    // the paper's section 5
double paper_bias(const std::string& layer);  // of "conv1" ... "conv5", "fc6", "fc7", "fc8"
std::int64_t fan_in(Axes shape);              // of a weight: the inputs that one output sums up
std::int64_t fan_out(Axes shape);             // the outputs that one input goes into
void he_weights(Random& random, Axes shape, Out w);      // normal, variance 2 / fan_in
void xavier_weights(Random& random, Axes shape, Out w);  // uniform, 2 / (fan_in + fan_out)

// ---- 7.2, update.cpp -----------------------------------------------------------------------

struct Rule {
  double lr = 0.01, momentum = 0.9, decay = 0.0005;
};
// One step. w and v hold values, and get new ones; g is the gradient.
void sgd_step(const Rule& rule, In g, Out w, Out v);

// The rate of step 0, 1, ..., steps - 1 along half a cosine, from lr to nearly 0.
double cosine_rate(double lr, std::int64_t step, std::int64_t steps);

struct Plateau {     // the paper's schedule
  double lr = 0.01;  // of the next epoch
  std::int64_t patience = 3;
  double best = 1;          // the smallest validation error up to now
  std::int64_t waited = 0;  // epochs without a smaller one
};
// After each epoch, with its validation error in [0, 1]: the rate of the next one.
double plateau_rate(Plateau& plateau, double error);

// ---- 7.3, dropout.cpp: as the paper has it, in section 4.2 ---------------------------------

void dropout_train(Random& random, double p, In x, Out y, Out mask);  // mask: 0 dropped, 1 kept
void dropout_backward(In dy, In mask, Out dx);
void dropout_test(double p, In x, Out y);

// ---- 7.4, augment.cpp ----------------------------------------------------------------------

struct PictureSize {
  std::int64_t c = 3, h = 1, w = 1;
};
struct View {  // a square part of a picture, perhaps mirrored
  std::int64_t top = 0, left = 0;
  bool mirror = false;
};
// The part x[:, top ... top + side - 1, left ... left + side - 1], with left and right exchanged if
// it is mirrored.
void cut(const PictureSize& size, In x, const View& view, std::int64_t side, Out y);
// Every place where it fits is as likely as any other, mirrored or not.
View random_view(Random& random, std::int64_t h, std::int64_t w, std::int64_t side);

// pictures [count, 3, plane]  ->  axes [3, 3]: row k is sqrt(lambda_k) p_k, the largest lambda
// first.
void colour_axes(std::int64_t count, std::int64_t plane, In pictures, Out axes);
// Adds a_1 axes[0] + a_2 axes[1] + a_3 axes[2] to each pixel of x [3, plane]; a_k ~ N(0, sigma).
void shift_colours(Random& random, In axes, double sigma, Out x);

// ---- 7.5, ten_crops.cpp --------------------------------------------------------------------

// Top left, top right, bottom left, bottom right, middle; then these five mirrored. The middle is
// rounded down.
std::array<View, 10> ten_views(std::int64_t h, std::int64_t w, std::int64_t side);
// logits [views, classes]  ->  p [classes]: the mean of the views' softmax.
void mean_prediction(In logits, Out p);

}  // namespace course

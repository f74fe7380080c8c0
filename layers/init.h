#pragma once
// Initial weights: small random numbers, so that neurons begin different from each other, and of
// such a size that a signal neither dies nor explodes on its way through the layers.
//
//   He (2015, for ReLU):        variance 2 / fan_in
//   Xavier (Glorot 2010):       variance 2 / (fan_in + fan_out)
//   PyTorch's default:          uniform in +-1/sqrt(fan_in), weights and biases
//
// A uniform distribution in +-l has variance l^2/3. fan_in is the number of inputs that one output
// sums up, fan_out the number of outputs that one input goes into.
#include "core/rng.h"
#include "core/tensor.h"

namespace limulus::init {

// Of a Linear weight [out, in] or a Conv2d weight [K, C/groups, FH, FW]; ShapeError for others.
std::int64_t fan_in(const Shape& weight);
std::int64_t fan_out(const Shape& weight);
// sqrt(2 / fan_in), the standard deviation that he_normal draws with.
double he_deviation(const Shape& weight);

// All overwrite t, recorded or not, with the same numbers on every backend.
void constant(Tensor& t, double value);
void normal(Tensor& t, double mean, double deviation, Rng& rng);
void uniform(Tensor& t, double low, double high, Rng& rng);
void he_normal(Tensor& t, Rng& rng);
void he_uniform(Tensor& t, Rng& rng);
void xavier_normal(Tensor& t, Rng& rng);
void xavier_uniform(Tensor& t, Rng& rng);
// PyTorch's: for a bias give its layer's fan_in.
void pytorch_default(Tensor& t, std::int64_t layer_fan_in, Rng& rng);

}  // namespace limulus::init

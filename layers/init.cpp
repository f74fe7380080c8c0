#include "layers/init.h"

#include <fmt/core.h>

#include <cmath>

#include "core/error.h"

namespace limulus::init {
namespace {

std::int64_t taps(const Shape& weight) {  // F * F, or 1 in a matrix
  if (weight.rank() == 2) return 1;
  if (weight.rank() == 4) return weight[2] * weight[3];
  throw ShapeError(
      fmt::format("init: a weight is [out, in] or [K, C, FH, FW]; {} has no fan_in", weight.str()));
}

double deviation_of(double variance) { return std::sqrt(variance); }
double limit_of(double variance) { return std::sqrt(3 * variance); }
double he(const Shape& w) { return 2.0 / static_cast<double>(fan_in(w)); }
double xavier(const Shape& w) { return 2.0 / static_cast<double>(fan_in(w) + fan_out(w)); }

}  // namespace

std::int64_t fan_in(const Shape& weight) { return taps(weight) * weight[1]; }
std::int64_t fan_out(const Shape& weight) { return taps(weight) * weight[0]; }
double he_deviation(const Shape& weight) { return deviation_of(he(weight)); }

void constant(Tensor& t, double value) {
  const NoGrad setting_values;
  t.fill_(value);
}
void normal(Tensor& t, double mean, double deviation, Rng& rng) {
  fill_normal(t, mean, deviation, rng);
}
void uniform(Tensor& t, double low, double high, Rng& rng) { fill_uniform(t, low, high, rng); }

void he_normal(Tensor& t, Rng& rng) { normal(t, 0, he_deviation(t.shape()), rng); }
void he_uniform(Tensor& t, Rng& rng) {
  const double limit = limit_of(he(t.shape()));
  uniform(t, -limit, limit, rng);
}
void xavier_normal(Tensor& t, Rng& rng) { normal(t, 0, deviation_of(xavier(t.shape())), rng); }
void xavier_uniform(Tensor& t, Rng& rng) {
  const double limit = limit_of(xavier(t.shape()));
  uniform(t, -limit, limit, rng);
}
void pytorch_default(Tensor& t, std::int64_t layer_fan_in, Rng& rng) {
  const double limit = 1 / std::sqrt(static_cast<double>(layer_fan_in));
  uniform(t, -limit, limit, rng);
}

}  // namespace limulus::init

#include "layers/dropout.h"

#include <fmt/core.h>

#include "core/autograd.h"
#include "core/error.h"
#include "core/rng.h"

namespace limulus {
namespace {

void check_probability(double p) {
  if (!(p >= 0 && p < 1))
    throw ValueError(
        fmt::format("dropout: p {} must be in [0, 1): values are divided by 1 - p", p));
}

struct DropoutOp : Op {
  DropoutOp(double probability, PhiloxKey k) : p(probability), key(k) {}
  const char* name() const override { return "dropout"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    // In place where nobody else holds dy.
    Tensor dx = dy.unique() ? dy : Tensor::empty(dy.shape(), dy.dtype(), dy.backend());
    dy.backend().dropout(dy.dtype(), dy.numel(), p, key, dy.data(), dx.mutable_data());
    return {dx};
  }
  double p;
  PhiloxKey key;
};

}  // namespace

Tensor dropout(const Tensor& x, double p, PhiloxKey key) {
  check_floating("dropout", x);
  check_probability(p);
  if (p == 0) return x;
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.backend());
  x.backend().dropout(x.dtype(), x.numel(), p, key, x.data(), y.mutable_data());
  return record<DropoutOp>(y, {x}, {}, p, key);
}

Dropout::Dropout(double probability) : p(probability) { check_probability(p); }

void Dropout::on_random(std::uint64_t seed, std::uint64_t step, const std::string& name) {
  seed_ = seed;
  layer_ = stream_of(name);
  step_ = step;
  passes_ = 0;
}

Tensor Dropout::forward(const Tensor& x) {
  if (!training()) return x;
  return dropout(x, p, {seed_, stream_of("dropout", layer_, stream_of("pass", step_, passes_++))});
}

std::vector<WalkStep> Dropout::walk(const Shape& in) const {
  WalkStep step = make_step(*this, in, in);
  step.formula = "as its input";
  step.detail = fmt::format("each value dropped with probability {} in training", p);
  return {step};
}

}  // namespace limulus

#include "training/sgd.h"

#include <fmt/core.h>

#include <cmath>

#include "core/error.h"

namespace limulus {
namespace {

void check_range(const char* what, double value, bool good, const char* range) {
  if (!good || !std::isfinite(value))
    throw ValueError(fmt::format("sgd: {} is {}, but must be {}", what, value, range));
}

}  // namespace

Sgd::Sgd(std::vector<NamedTensor> parameters, SgdOptions options)
    : parameters_(std::move(parameters)), options_(options) {
  check_range("the learning rate", options.lr, options.lr >= 0, "at least 0");
  check_range("momentum", options.momentum, options.momentum >= 0 && options.momentum < 1,
              "in [0, 1)");
  check_range("weight decay", options.weight_decay, options.weight_decay >= 0, "at least 0");
  for (const auto& [name, w] : parameters_)
    velocities_.emplace_back(name, Tensor::zeros(w.shape(), w.dtype(), w.backend()));
}

void Sgd::step() {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    Tensor& w = parameters_[i].second;
    const Tensor g = w.grad();
    if (!g.defined()) continue;
    const SgdShape s = {w.numel(), options_.lr, options_.momentum, options_.weight_decay,
                        options_.rule};
    w.backend().sgd_step(w.dtype(), s, w.mutable_data(), g.data(),
                         velocities_[i].second.mutable_data());
  }
}

void Sgd::zero_grad() {
  for (auto& [name, w] : parameters_) w.zero_grad();
}

void Sgd::set_lr(double lr) {
  check_range("the learning rate", lr, lr >= 0, "at least 0");
  options_.lr = lr;
}

}  // namespace limulus

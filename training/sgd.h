#pragma once
// Stochastic gradient descent with momentum and weight decay.
//
//   paper (Krizhevsky et al. 2012, section 5):   v <- m v - d lr w - lr g     w <- w + v
//   pytorch:                                     v <- m v + (g + d w)         w <- w - lr v
//
// With a constant rate lr the two make the same steps (v of one is -lr times v of the other). They
// part when the rate changes: the paper's velocity keeps the old rate's steps in flight, PyTorch's
// rescales them at once.
#include <vector>

#include "layers/module.h"

namespace limulus {

struct SgdOptions {
  double lr = 0.01;
  double momentum = 0.9;
  double weight_decay = 0.0005;
  SgdRule rule = SgdRule::paper;
};

class Sgd {
 public:
  Sgd(std::vector<NamedTensor> parameters, SgdOptions options);

  // One step on every parameter that has a gradient, in place.
  void step();
  void zero_grad();
  void set_lr(double lr);
  const SgdOptions& options() const { return options_; }

  const std::vector<NamedTensor>& parameters() const { return parameters_; }
  // One velocity per parameter, under the parameter's name; zero at first.
  const std::vector<NamedTensor>& velocities() const { return velocities_; }

 private:
  std::vector<NamedTensor> parameters_, velocities_;
  SgdOptions options_;
};

}  // namespace limulus

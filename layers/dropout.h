#pragma once
// Dropout (the paper's section 4.2): while training, each value is dropped with probability p, so
// that no neuron can rely on the presence of a particular other one.
//
//   y_i = m_i x_i / (1 - p),   m_i = 0 with probability p, else 1
//
// The division ("inverted" dropout) keeps the expected value, so that nothing is left to do when
// the network is used. The paper instead multiplies by 1 - p = 0.5 at test time: the same network
// up to a factor that the weights absorb.
//
// Backward: dx_i = m_i dy_i / (1 - p). The mask is not stored: it is a function of `key` and i
// (core/philox.h) and is drawn again.
#include "core/philox.h"
#include "layers/module.h"

namespace limulus {

Tensor dropout(const Tensor& x, double p, PhiloxKey key);  // 0 <= p < 1

class Dropout : public Module {
 public:
  explicit Dropout(double p = 0.5);
  const char* kind() const override { return "Dropout"; }
  // In training mode; in eval mode the result is x. The mask is named by set_random(seed, step)
  // and this layer's name; a second pass within the step draws the next mask.
  Tensor forward(const Tensor& x) override;
  std::vector<WalkStep> walk(const Shape& in) const override;

  const double p;

 protected:
  void on_random(std::uint64_t seed, std::uint64_t step, const std::string& name) override;

 private:
  std::uint64_t seed_ = 0, layer_ = 0, step_ = 0, passes_ = 0;
};

}  // namespace limulus

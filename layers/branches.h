#pragma once
// Several ways from one value, whose ends meet:
//
//   add      y = f(x) + g(x) + ...            residual networks: g is often x itself
//   concat   y = [f(x), g(x), ...]            side by side along the channels: Inception, DenseNet
//
// Each way is a Sequential, and an empty one gives x itself. A way may hold Branches again. The
// layers keep their own names: Branches stands in a Sequential under the name "", and `name` is
// that of the place where the ways meet.
//
// Backward: for add, dy goes into every way; for concat, each way gets its channels of dy. x gets
// the sum of what comes back. All of it is core/algebra.h's.
#include "layers/module.h"

namespace limulus {

enum class Join { add, concat };

class Branches : public Module {
 public:
  // ValueError for fewer than two ways.
  Branches(std::string called, Join how, std::vector<std::shared_ptr<Sequential>> all);
  const char* kind() const override { return "Branches"; }
  Tensor forward(const Tensor& x) override;
  std::vector<WalkStep> walk(const Shape& in) const override;  // of all ways, then of their meeting
  bool lends_names() const override { return true; }

  const std::string name;
  const Join join;
  const std::vector<std::shared_ptr<Sequential>> ways;
};

// Whether there are Branches in the network: then its layers do not follow one another.
bool has_branches(Module& network);

}  // namespace limulus

#include "gradcheck/layer.h"

namespace limulus {

GradcheckReport gradcheck(Module& module, const Tensor& x, const GradcheckOptions& options) {
  std::vector<NamedTensor> inputs = module.parameters();
  inputs.insert(inputs.begin(), {"input", x});
  const auto forward = [&](const std::vector<Tensor>& in) {
    module.set_random(options.seed, 1);
    return module.forward(in[0]);  // the other inputs are the module's own
  };
  return gradcheck(forward, inputs, options);
}

}  // namespace limulus

#include "python/python_op.h"

#include <fmt/core.h>

#include "core/error.h"

namespace limulus::python {
namespace {

struct PythonOp : Op {
  explicit PythonOp(nb::callable f) : backward_(kept(std::move(f))) {}
  const char* name() const override { return "python"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    const Calling calling;
    const nb::object result = (*backward_)(dy);
    std::vector<MaybeTensor> gradients;
    if (!nb::try_cast(result, gradients))
      throw nb::type_error(
          "backward: it has to return a sequence with a Tensor or None for each "
          "input");
    if (gradients.size() != input_count())
      throw ShapeError(fmt::format("backward: it returned {} gradients, and there are {} inputs",
                                   gradients.size(), input_count()));
    std::vector<Tensor> dx;
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      dx.push_back(or_undefined(gradients[i]));
      if (!dx.back().defined() && needs(i))  // None: it does not depend on this input
        dx.back() = Tensor::zeros(input_shape(i), dy.dtype(), dy.backend());
    }
    return dx;
  }

 private:
  std::shared_ptr<nb::callable> backward_;
};

}  // namespace

Tensor record_python(const Tensor& y, const std::vector<Tensor>& inputs, nb::callable backward) {
  return record<PythonOp>(y.detach(), inputs, {}, std::move(backward));
}

}  // namespace limulus::python

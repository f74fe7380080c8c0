#include "layers/cross_entropy.h"

#include <fmt/core.h>

#include "core/algebra.h"
#include "core/autograd.h"
#include "core/error.h"

namespace limulus {
namespace {

void check(const Tensor& logits, const Tensor& labels) {
  check_floating("cross_entropy", logits);
  if (logits.shape().rank() != 2 || labels.shape() != Shape{logits.size(0)})
    throw ShapeError(fmt::format("cross_entropy: needs logits [N, C] and labels [N], not {} and {}",
                                 logits.shape().str(), labels.shape().str()));
  if (labels.dtype() != DType::i64)
    throw DTypeError(fmt::format("cross_entropy: labels are class numbers of type i64, not {}",
                                 name_of(labels.dtype())));
  if (&logits.backend() != &labels.backend())
    throw DeviceError(
        fmt::format("cross_entropy: logits are on {} and labels on {}; move one with to()",
                    logits.backend().name(), labels.backend().name()));
  // On the host: a kernel would read outside of its array, and could not say so.
  const std::int64_t classes = logits.size(1);
  const auto values = labels.to_vector<std::int64_t>();
  for (std::size_t i = 0; i < values.size(); ++i)
    if (values[i] < 0 || values[i] >= classes)
      throw ValueError(
          fmt::format("cross_entropy: labels[{}] is {}, but {} classes are numbered 0 to {}", i,
                      values[i], classes, classes - 1));
}

struct CrossEntropyOp : Op {
  const char* name() const override { return "cross_entropy"; }
  std::vector<Tensor> backward(const Tensor& dloss) override {  // [N]
    const auto [probability, labels] = saved<2>();
    const Shape& shape = probability.shape();
    Tensor dx = Tensor::empty(shape, dloss.dtype(), dloss.backend());
    dloss.backend().cross_entropy_backward(dloss.dtype(), shape[0], shape[1], probability.data(),
                                           labels.data(), dloss.data(), dx.mutable_data());
    return {dx};
  }
};

}  // namespace

Tensor cross_entropy_each(const Tensor& logits, const Tensor& labels) {
  check(logits, labels);
  const std::int64_t rows = logits.size(0), cols = logits.size(1);
  Tensor probability = Tensor::empty(logits.shape(), logits.dtype(), logits.backend());
  Tensor loss = Tensor::empty({rows}, logits.dtype(), logits.backend());
  logits.backend().cross_entropy_forward(logits.dtype(), rows, cols, logits.data(), labels.data(),
                                         probability.mutable_data(), loss.mutable_data());
  return record<CrossEntropyOp>(loss, {logits}, {probability, labels});
}

Tensor cross_entropy(const Tensor& logits, const Tensor& labels) {
  return mean(cross_entropy_each(logits, labels));
}

}  // namespace limulus

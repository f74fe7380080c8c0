#include "layers/linear.h"

#include <fmt/core.h>

#include "core/autograd.h"
#include "core/error.h"
#include "layers/activation.h"

namespace limulus {
namespace {

void check_sizes(const Shape& x, const Shape& w) {
  if (w.rank() != 2)
    throw ShapeError(fmt::format("linear: the weight must be [out, in], not {}", w.str()));
  if (x.rank() != 2)
    throw ShapeError(fmt::format(
        "linear: the input must be rows [N, {}], not {}; put flatten() before it", w[1], x.str()));
  if (x[1] != w[1])
    throw ShapeError(fmt::format("linear: input has {} values a row but the weight {} expects {}",
                                 x[1], w.str(), w[1]));
}

thread_local std::function<void(const LinearFactors&)> take_factors;

// y = x w^T + b, or the ReLU of that: then y is saved too, as its zeros are where dy stops.
struct LinearOp : Op {
  LinearOp(bool with_relu, Tensor w, Tensor b)
      : relu(with_relu), weight(std::move(w)), bias(std::move(b)) {}
  const char* name() const override { return "linear"; }
  std::vector<Tensor> backward(const Tensor& above) override {  // [N, out]
    const auto [x, w, y] = saved<3>();
    const Tensor dy = relu ? relu_backward(y, above) : above;
    const std::int64_t n = dy.size(0), out = dy.size(1), in = input_shape(1)[1];
    std::vector<Tensor> d(input_count());
    if (needs(0)) {  // [N, in] = [N, out] [out, in]
      d[0] = Tensor::empty(input_shape(0), dy.dtype(), dy.backend());
      dy.backend().gemm(dy.dtype(), {n, in, out, false, false, out, in, in, 0}, dy.data(), w.data(),
                        d[0].mutable_data());
    }
    if (needs(1)) d[1] = linear_weight_gradient(x, dy);
    if (input_count() == 3 && needs(2)) d[2] = linear_bias_gradient(dy);
    if (weight.defined()) take_factors({weight, bias, x, dy});
    return d;
  }
  const bool relu;
  Tensor weight, bias;  // whose gradients are taken as factors; else undefined
};

// Weights in bf16 are only read: they learn nothing, and no gradient passes through them.
void check_stored(const Tensor& x, const Tensor& w, const Tensor& b) {
  if (x.dtype() != DType::f32)
    throw DTypeError(fmt::format("linear: weights stored as bf16 multiply inputs in f32, not in {}",
                                 name_of(x.dtype())));
  if (&x.backend() != &w.backend())
    throw DeviceError(
        fmt::format("linear: the input is on {} and the weight on {}; move one with to()",
                    x.backend().name(), w.backend().name()));
  if (must_record(b.defined() ? std::vector<Tensor>{x, b} : std::vector<Tensor>{x}))
    throw GraphError(
        "linear: the weight is stored as bf16, for inference: no gradient passes through it; train "
        "with weights in f32, or run this under NoGrad");
}

Tensor multiply(const Tensor& x, const Tensor& w, const Tensor& b, bool relu) {
  const bool stored = w.dtype() == DType::bf16;
  if (stored)
    check_stored(x, w, b);
  else
    check_same_place("linear", x, w);
  check_sizes(x.shape(), w.shape());
  const std::int64_t n = x.size(0), in = x.size(1), out = w.size(0);
  Backend& backend = x.backend();
  Tensor y = Tensor::empty({n, out}, x.dtype(), backend);
  if (b.defined()) {
    check_same_place("linear", x, b);
    if (b.shape() != Shape{out})
      throw ShapeError(fmt::format("linear: the bias is {} but {} outputs need [{}]",
                                   b.shape().str(), out, out));
  }
  backend.linear_forward(x.dtype(), {n, in, out, relu, w.dtype()}, x.data(), w.data(),
                         b.defined() ? b.data() : nullptr, y.mutable_data());
  if (stored) return y;
  const bool factors = take_factors && w.requires_grad() && x.requires_grad();
  std::vector<Tensor> inputs = {x, factors ? w.detach() : w};
  if (b.defined()) inputs.push_back(factors ? b.detach() : b);
  const bool has_bias = b.defined() && b.requires_grad();
  return record<LinearOp>(
      y, inputs,
      {w.requires_grad() ? x : Tensor(), x.requires_grad() ? w : Tensor(), relu ? y : Tensor()},
      relu, factors ? w : Tensor(), factors && has_bias ? b : Tensor());
}

}  // namespace

TakeLinearFactors::TakeLinearFactors(std::function<void(const LinearFactors&)> take)
    : Scoped(take_factors, std::move(take)) {}

Tensor linear_weight_gradient(const Tensor& x, const Tensor& dy) {
  const std::int64_t n = dy.size(0), out = dy.size(1), in = x.size(1);
  Tensor dw = Tensor::empty({out, in}, dy.dtype(), dy.backend());  // [out, N] [N, in]
  dy.backend().gemm(dy.dtype(), {out, in, n, true, false, out, in, in, 0}, dy.data(), x.data(),
                    dw.mutable_data());
  return dw;
}

Tensor linear_bias_gradient(const Tensor& dy) {
  Tensor db = Tensor::empty({dy.size(1)}, dy.dtype(), dy.backend());
  dy.backend().reduce(dy.dtype(), ReduceOp::sum, 1, dy.size(0), dy.size(1), dy.data(),
                      db.mutable_data());
  return db;
}

Tensor linear(const Tensor& x, const Tensor& w, const Tensor& b) {
  return multiply(x, w, b, false);
}

Linear::Linear(std::int64_t in_features, std::int64_t out_features, Backend& backend, DType dtype,
               bool with_bias) {
  if (in_features < 1 || out_features < 1)
    throw ValueError(
        fmt::format("linear: {} inputs and {} outputs: there must be 1 or more of each",
                    in_features, out_features));
  weight = add_parameter("weight", new_parameter({out_features, in_features}, dtype, backend));
  if (with_bias) bias = add_parameter("bias", new_parameter({out_features}, dtype, backend));
}

Tensor Linear::forward_fused(const Tensor& x, const Module& next) {
  if (dynamic_cast<const ReLU*>(&next) == nullptr || !x.backend().linear_fuses_relu()) return {};
  return multiply(x, weight, bias, true);
}

void store_linear_weights(Module& network, DType dtype) {
  if (dtype == DType::f32) return;
  if (dtype != DType::bf16)
    throw DTypeError(fmt::format(
        "store_linear_weights: weights can be stored as f32 or bf16, not {}", name_of(dtype)));
  const NoGrad on_purpose;
  network.visit([](const std::string&, Module& m) {
    auto* layer = dynamic_cast<Linear*>(&m);
    if (layer != nullptr && layer->weight.dtype() != DType::bf16) layer->weight.store_as_bf16_();
  });
}

std::vector<WalkStep> Linear::walk(const Shape& in) const {
  const Shape& w = weight.shape();
  check_sizes(in, w);
  WalkStep step = make_step(*this, in, {in[0], w[0]});
  step.formula = fmt::format("{} x {} weights -> {}", w[0], w[1], w[0]);
  step.detail = fmt::format("each of {} outputs sees {} inputs", w[0], w[1]);
  step.connections = step.parameters;  // each is used at one place
  step.multiply_adds = w.numel();
  return {step};
}

}  // namespace limulus

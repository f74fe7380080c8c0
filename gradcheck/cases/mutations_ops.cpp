// Mistakes in the derivative of a whole layer, as an Op of one's own would have them.
#include <cmath>
#include <functional>
#include <vector>

#include "core/algebra.h"
#include "core/autograd.h"
#include "gradcheck/cases/mutations.h"
#include "layers/batch_norm2d.h"
#include "layers/cross_entropy.h"
#include "layers/dropout.h"

namespace limulus {
namespace {

using In = std::vector<Tensor>;
using Backward = std::function<std::vector<Tensor>(const Tensor& dy, const In& inputs)>;

// y = forward(inputs), with a backward from elsewhere.
struct StudentOp : Op {
  StudentOp(Backward b, In i) : formula(std::move(b)), inputs(std::move(i)) {}
  const char* name() const override { return "student's layer"; }
  std::vector<Tensor> backward(const Tensor& dy) override { return formula(dy, inputs); }
  Backward formula;
  In inputs;  // detached
};

std::function<Tensor(const In&)> layer(const std::function<Tensor(const In&)>& forward,
                                       const Backward& backward) {
  return [=](const In& in) {
    In plain, differentiated;
    for (const Tensor& t : in) {
      plain.push_back(t.detach());
      if (t.dtype() == DType::f64) differentiated.push_back(t);
    }
    return record<StudentOp>(forward(plain), differentiated, {}, backward, plain);
  };
}

// ---- batch normalization over [N, C, L], as one Op --------------------------------------------

constexpr double eps = 1e-3;

Tensor mean_of(const Tensor& x) { return mean(mean(x, 2, true), 0, true); }  // -> [1, C, 1]

Tensor normalized(const Tensor& x, const Tensor& deviation) { return (x - mean_of(x)) / deviation; }
Tensor deviation_of(const Tensor& x) { return sqrt(mean_of(square(x - mean_of(x))) + eps); }

Tensor batch_norm(const In& in) {  // x [N, C, L], weight [C, 1], bias [C, 1]
  return normalized(in[0], deviation_of(in[0])) * in[1] + in[2];
}

// dx = w / deviation (dy - mean of dy - x^ mean of dy x^)
struct BatchNormTerms {
  bool mean_term = true, variance_term = true, weight = true, weight_normalized = true;
};

Mutation batch_norm_with(const char* name, const char* what, const char* tensor,
                         const char* mistake, const BatchNormTerms& terms) {
  const auto backward = [=](const Tensor& dy, const In& in) {
    const Tensor deviation = deviation_of(in[0]), xh = normalized(in[0], deviation);
    Tensor d = dy;
    if (terms.mean_term) d = d - mean_of(dy);
    if (terms.variance_term) d = d - xh * mean_of(dy * xh);
    d = d / deviation;
    if (terms.weight) d = d * in[1];
    return In{d, sum(sum(dy * (terms.weight_normalized ? xh : in[0]), 2, true), 0),
              sum(sum(dy, 2, true), 0)};
  };
  return {name,
          what,
          tensor,
          mistake,
          {"batch_norm2d",
           "batch_norm2d with a mistake",
           {{"x", {4, 3, 5}}, {"weight", {3, 1}, Fill::nonzero}, {"bias", {3, 1}}},
           layer(batch_norm, backward)}};
}

// ---- others -------------------------------------------------------------------------------------

Mutation dropout_with(const char* name, const char* what, const char* mistake,
                      const Backward& backward) {
  const auto forward = [](const In& in) { return dropout(in[0], 0.2, {7, 1}); };
  return {name,
          what,
          "x",
          mistake,
          {"dropout", "dropout with a mistake", {{"x", {5, 8}}}, layer(forward, backward)}};
}

Mutation loss_with(const char* name, const char* what, const char* mistake, double factor) {
  const auto f = [=](const In& in) {
    // Only backward sees the factor: in f x + (1 - f) x, the second part is not recorded.
    const Tensor loss = cross_entropy(in[0], in[1]);
    return loss * factor + loss.detach() * (1 - factor);
  };
  return {name,
          what,
          "x",
          mistake,
          {"cross_entropy",
           "cross_entropy with a mistake",
           {{"x", {5, 7}}, {"labels", {5}, Fill::labels, 7}},
           f}};
}

}  // namespace

std::vector<Mutation> op_mutations() {
  const auto rescaled = [](const Tensor& dy, const In&) {
    return In{dropout(dy, 0.2, {7, 1}) * 0.8};
  };
  const auto twice = [](const Tensor& dy, const In&) { return In{dropout(dy, 0.2, {7, 1}) / 0.8}; };
  const auto unmasked = [](const Tensor& dy, const In&) { return In{dy / 0.8}; };
  const auto other_mask = [](const Tensor& dy, const In&) { return In{dropout(dy, 0.2, {7, 2})}; };
  const auto square_of = [](const In& in) { return square(in[0]); };
  const auto ignores_dy = [](const Tensor&, const In& in) { return In{in[0] * 2.0}; };
  const auto product = [](const In& in) { return in[0] * in[1]; };
  const auto own_factor = [](const Tensor& dy, const In& in) { return In{dy * in[0], dy * in[0]}; };
  return {
      batch_norm_with("batch-norm-mean", "dx without the term of the mean", "x", "mean term",
                      {.mean_term = false}),
      batch_norm_with("batch-norm-variance", "dx without the term of the variance", "x",
                      "variance term", {.variance_term = false}),
      batch_norm_with("batch-norm-statistics", "dx with mean and variance held constant", "x",
                      "statistics", {.mean_term = false, .variance_term = false}),
      batch_norm_with("batch-norm-weight", "dx without the weight", "x", "factor by channel",
                      {.weight = false}),
      batch_norm_with("batch-norm-dweight", "dweight sums dy x, not dy x^", "weight", "",
                      {.weight_normalized = false}),
      dropout_with("dropout-scale", "dx without 1/(1 - p)", "dropout scale", rescaled),
      dropout_with("dropout-scale-twice", "dx with 1/(1 - p) twice", "dropout scale", twice),
      dropout_with("dropout-mask", "dx without the mask", "mask", unmasked),
      dropout_with("dropout-new-mask", "dx with a mask of its own", "", other_mask),
      loss_with("cross-entropy-sum", "dx without 1/N", "1/N", 5),
      loss_with("cross-entropy-mean-twice", "dx with 1/N twice", "1/N", 0.2),
      {"square-cotangent",
       "dx = 2x: dy is not used",
       "x",
       "cotangent",
       {"square", "square with a mistake", {{"x", {3, 5}}}, layer(square_of, ignores_dy)}},
      {"mul-own-factor",
       "da = dy a instead of dy b",
       "a",
       "derivative",
       {"mul", "mul with a mistake", {{"a", {3, 5}}, {"b", {3, 5}}}, layer(product, own_factor)}},
      {"square-detached",
       "x is detached on the way",
       "x",
       "unreached",
       {"square",
        "square with a mistake",
        {{"x", {3, 5}}, {"b", {3, 5}}},
        [](const In& in) { return square(in[0].detach()) + in[1]; }}},
  };
}

}  // namespace limulus

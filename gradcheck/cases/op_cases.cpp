#include "gradcheck/cases/op_cases.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/rng.h"

namespace limulus {
namespace {

// All values are multiples of 2^-12 below 2^11: exact in f32, too.
double rounded(double x) { return static_cast<double>(static_cast<std::int64_t>(x * 4096)) / 4096; }

std::vector<double> draw(const CaseInput& input, Rng& rng) {
  std::vector<double> v(static_cast<std::size_t>(input.shape.numel()));
  const std::int64_t middle = input.shape.numel() / 2;
  for (std::size_t i = 0; i < v.size(); ++i) switch (input.fill) {
      case Fill::normal:
        v[i] = rounded(rng.normal());
        break;
      case Fill::positive:
        v[i] = rounded(rng.uniform(0.3, 2));
        break;
      case Fill::nonzero:
        v[i] = rounded(rng.uniform(0.3, 2)) * (rng.below(2) == 0 ? 1 : -1);
        break;
      case Fill::distinct:
        v[i] = static_cast<double>(static_cast<std::int64_t>(i) - middle) / 64;
        break;
      case Fill::coarse:
        v[i] = std::round(16 * rng.normal()) / 16;
        break;
      case Fill::labels:
        v[i] = static_cast<double>(rng.below(static_cast<std::uint64_t>(input.classes)));
        break;
    }
  if (input.fill == Fill::distinct)
    for (std::size_t i = v.size(); i > 1; --i) std::swap(v[i - 1], v[rng.below(i)]);
  return v;
}

Tensor make_input(const CaseInput& input, DType dtype, Backend& backend, Rng& rng) {
  const std::vector<double> v = draw(input, rng);
  if (input.fill == Fill::labels)
    return Tensor::from(std::vector<std::int64_t>(v.begin(), v.end()), input.shape, backend);
  if (dtype == DType::f32)
    return Tensor::from(std::vector<float>(v.begin(), v.end()), input.shape, backend);
  return Tensor::from(v, input.shape, backend);
}

}  // namespace

const std::vector<OpCase>& op_cases() {
  static const std::vector<OpCase> all = [] {
    std::vector<OpCase> cases = algebra_cases();
    for (auto part : {layer_cases, fused_cases, large_cases})
      for (OpCase& c : part()) cases.push_back(std::move(c));
    return cases;
  }();
  return all;
}

std::vector<Tensor> make_inputs(const OpCase& c, DType dtype, Backend& backend) {
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < c.inputs.size(); ++i) {
    Rng rng(2012, stream_of(c.name, i));
    inputs.push_back(make_input(c.inputs[i], dtype, backend, rng));
  }
  return inputs;
}

CaseResult run_case(const OpCase& c, DType dtype, Backend& backend) {
  const PoisonEmpty poison;
  std::vector<Tensor> in = make_inputs(c, dtype, backend);
  for (Tensor& t : in)
    if (t.dtype() == dtype) t.set_requires_grad();
  const Tensor y = c.f(in);
  Rng rng(2012, stream_of("cotangent"));
  y.backward(make_input({"dy", y.shape(), Fill::nonzero}, dtype, backend, rng));
  CaseResult r{{"y"}, {y.detach()}};
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (!in[i].requires_grad()) continue;
    r.names.push_back(fmt::format("d{}", c.inputs[i].name));
    r.values.push_back(in[i].grad());
  }
  return r;
}

}  // namespace limulus

// 6.4 and 6.5: local response normalization across channels, and its gradient.
#include <cmath>

#include "backends/registry.h"
#include "judge_layers.h"
#include "layers/local_response_norm.h"

namespace course {
namespace {

using namespace limulus;

struct Lrns {
  double alpha = 0.8, deviation = 1;  // of x
  bool paper = false, few = false, even = false;
};
constexpr Lrns kPaper{.deviation = 100, .paper = true}, kStrong{}, kFew{.few = true},
    kEven{.even = true};

LrnOptions options_of(const Record& in) {
  return {.size = in.integers("shape")[4],
          .alpha = in.number("alpha"),
          .beta = in.number("beta"),
          .k = in.number("k"),
          .convention = AlphaConvention::paper,
          .region = LrnRegion::across_channels};
}

Tensor tensor(const Record& in, const char* name) {
  return Tensor::from(in.doubles(name), Shape(in.shape(name)), device("reference"));
}

// s_i = k + alpha * sum of x_j^2 over the window of i, by its definition.
Doubles scale_of(const Record& in) {
  const LrnOptions o = options_of(in);
  const Shape shape(in.shape("x"));
  const Doubles& x = in.doubles("x");
  const std::int64_t c = shape[1], plane = shape[2] * shape[3];
  Doubles scale;
  for (std::int64_t at = 0; at < shape.numel(); ++at) {
    const std::int64_t i = at / plane % c, begin = i - o.size / 2;
    double squares = 0;
    for (std::int64_t j = std::max<std::int64_t>(begin, 0); j < std::min(begin + o.size, c); ++j) {
      const double neighbour = x[static_cast<std::size_t>(at + (j - i) * plane)];
      squares += neighbour * neighbour;
    }
    scale.push_back(o.k + o.alpha * squares);
  }
  return scale;
}

Record lrn_call(Rng& rng, const char* function, const Lrns& kind, const Where& where) {
  const std::int64_t size = kind.paper  ? 5
                            : kind.even ? 2 * between(rng, 1, 3)
                                        : 2 * between(rng, 1, 3) + 1;
  const std::int64_t c = kind.few ? between(rng, 1, size - 1) : between(rng, 7, 9);
  const std::int64_t h = between(rng, 2, 4);
  const Shape x{between(rng, 1, 2), c, h, h + 1};
  const auto as_float = [](double v) { return static_cast<double>(static_cast<float>(v)); };
  const double alpha = as_float(kind.paper ? 1e-4 : kind.alpha * rng.uniform(0.8, 1.2));
  const double beta = as_float(kind.paper ? 0.75 : rng.uniform(0.4, 1.2));
  const double k = as_float(kind.paper ? 2 : rng.uniform(0.7, 2.5));
  Record r = begin_call(function,
                        "x " + x.str() + ", size " + std::to_string(size) + ", alpha " +
                            written(alpha) + ", beta " + written(beta) + ", k " + written(k),
                        {x[0], x[1], x[2], x[3], size}, some_group(rng), where);
  r.put("alpha", {}, {alpha});
  r.put("beta", {}, {beta});
  r.put("k", {}, {k});
  Doubles values = floats(rng, x.numel());
  for (double& value : values) value *= kind.deviation;
  r.put("x", x.sizes(), as_floats(values));
  r.put("dy", x.sizes(), floats(rng, x.numel()));
  // What 6.5 is given comes from here, not from the student's 6.4.
  r.put("scale", x.sizes(), as_floats(scale_of(r)));
  return r;
}
template <const Lrns& kind, const Where& where>
Calls lrns(Rng& rng, const char* function) {
  Calls calls;
  for (int i = 0; i < where.calls; ++i) calls.push_back(lrn_call(rng, function, kind, where));
  return calls;
}

// Single precision: pow is good to about 1e-6, and there are some ten terms.
constexpr double kTolerance = 1e-5;

void check_forward(const Record& in, const Record& out) {
  const Tensor y = local_response_norm(tensor(in, "x"), options_of(in));
  for (const std::string& place : places(in)) {
    compare("y", y.shape(), y.to_vector<double>(), out.doubles("y" + place), kTolerance);
    compare("scale", y.shape(), scale_of(in), out.doubles("scale" + place), kTolerance);
  }
}
void check_backward(const Record& in, const Record& out) {
  const LrnOptions options = options_of(in);
  Tensor x = tensor(in, "x");
  x.set_requires_grad();
  const Tensor y = local_response_norm(x, options);
  y.backward(tensor(in, "dy"));
  const Doubles result = y.to_vector<double>();
  const auto moved = [&](const Doubles& v) {
    const NoGrad values_only;
    return local_response_norm(Tensor::from(v, x.shape(), device("reference")), options)
        .to_vector<double>();
  };
  for (const std::string& place : places(in))
    compare_gradient({"dx", x.shape(), y.shape(), in.doubles("x"), result, in.doubles("dy"), moved},
                     x.grad().to_vector<double>(), out.doubles("dx" + place), kTolerance);
}

template <const Lrns& kind, const Where& where = kOnDevice>
void add(std::vector<Case>& all, const std::string& name) {
  all.push_back(
      {"lrn_" + name, +[](Rng& r) { return lrns<kind, where>(r, "lrn_forward"); }, check_forward});
  all.push_back({"lrn_backward_" + name,
                 +[](Rng& r) { return lrns<kind, where>(r, "lrn_backward"); }, check_backward});
}

}  // namespace

void add_lrns(std::vector<Case>& all) {
  add<kStrong>(all, "strong");
  add<kPaper>(all, "paper");
  add<kFew>(all, "few");
  add<kEven>(all, "even");
  add<kFew, kInOclgrind>(all, "oclgrind");
}

}  // namespace course

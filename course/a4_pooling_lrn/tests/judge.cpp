// Assignment 4: max pooling and local response normalization, compared with the library's textbook
// loops (the backend "reference").
#include "judge.h"

#include <algorithm>
#include <cmath>

#include "backends/registry.h"
#include "layers/local_response_norm.h"
#include "layers/max_pool2d.h"

namespace course {
namespace {

using namespace limulus;

Tensor tensor(const Doubles& values, const Shape& shape) {
  return Tensor::from(values, shape, device("reference"));
}

// dx of y = f(x), compared with what was returned; f is taken at the x of the call.
template <class F>
void check_gradient(const Record& in, const Record& out, F f) {
  Tensor x = tensor(in.doubles("x"), Shape(in.shape("x")));
  x.set_requires_grad();
  const Tensor y = f(x);
  y.backward(tensor(in.doubles("dy"), y.shape()));
  const Doubles result = y.template to_vector<double>();
  const auto moved = [&](const Doubles& v) {
    const NoGrad values_only;
    return f(tensor(v, x.shape())).template to_vector<double>();
  };
  compare_gradient({"dx", x.shape(), y.shape(), in.doubles("x"), result, in.doubles("dy"), moved},
                   x.grad().to_vector<double>(), out.doubles("dx"));
}

// ---- max pooling -----------------------------------------------------------------------------

struct Pools {
  std::int64_t pad = 0;
  bool overlap = true, negative = false, ties = false;
};

Pool2dOptions options_of(const Integers& v) {
  return {.kernel = v[4], .stride = Size2d(v[5]), .pad = v[6]};
}

Record pool_call(Rng& rng, const char* function, const Pools& kind) {
  const std::int64_t f = between(rng, kind.pad > 0 ? 2 : 1, 4);
  const std::int64_t s = kind.overlap ? between(rng, 1, std::max<std::int64_t>(1, f - 1)) : f;
  const std::int64_t p = kind.pad > 0 ? between(rng, 1, f / 2) : 0;
  const std::int64_t h = f + between(rng, 2, 6);
  std::int64_t w = f + between(rng, 2, 6);
  if (w == h) ++w;
  Integers v = {between(rng, 1, 2), between(rng, 1, 3), h, w, f, s, p};
  const Shape x{v[0], v[1], h, w};
  const Pool2dShape pool = pool2d_shape(x, options_of(v), "max_pool2d");
  v.insert(v.end(), {pool.window.h.out, pool.window.w.out});
  Record r;
  r.put("call", std::string(function));
  r.put("what", std::string(function) + ": x " + x.str() + ", kernel " + std::to_string(f) +
                    ", stride " + std::to_string(s) + ", pad " + std::to_string(p));
  r.put("shape", v);
  Doubles values = normal(rng, x.numel());
  for (double& value : values) {
    if (kind.ties) value = static_cast<double>(rng.below(3));
    if (kind.negative) value = -1 - std::abs(value);
  }
  r.put("x", x.sizes(), values);
  r.put("dy", pooled(pool).sizes(), normal(rng, pooled(pool).numel()));
  // What 4.2 is given comes from here, not from the student's 4.1.
  std::vector<std::int32_t> argmax(static_cast<std::size_t>(pooled(pool).numel()));
  Doubles y(argmax.size());
  device("reference").max_pool2d_forward(DType::f64, pool, values.data(), y.data(), argmax.data());
  r.put("argmax", Integers(argmax.begin(), argmax.end()));
  return r;
}
template <const Pools& kind>
std::vector<Record> pools(Rng& rng, const char* function) {
  std::vector<Record> calls;
  while (calls.size() < 6) calls.push_back(pool_call(rng, function, kind));
  return calls;
}

void check_max_pool(const Record& in, const Record& out) {
  const Integers& v = in.integers("shape");
  const Tensor y = max_pool2d(tensor(in.doubles("x"), Shape(in.shape("x"))), options_of(v));
  compare("y", y.shape(), y.to_vector<double>(), out.doubles("y"));
  compare("argmax", in.integers("argmax"), out.integers("argmax"));
}
void check_max_pool_backward(const Record& in, const Record& out) {
  const Pool2dOptions options = options_of(in.integers("shape"));
  check_gradient(in, out, [&](const Tensor& x) { return max_pool2d(x, options); });
}

// ---- local response normalization ------------------------------------------------------------

struct Lrns {
  double alpha = 0.8, deviation = 1;  // of x
  bool paper = false, few = false, even = false;
};

Record lrn_call(Rng& rng, const char* function, bool within, const Lrns& kind) {
  std::int64_t size = kind.paper  ? 5
                      : kind.even ? 2 * between(rng, 1, 3)
                                  : 2 * between(rng, 1, 3) + 1;
  if (within && !kind.few) size = std::min<std::int64_t>(size, 4);
  std::int64_t c = between(rng, 7, 9), h = between(rng, 2, 4), w = h + 1;
  if (within) c = between(rng, 1, 2), h = between(rng, 5, 6), w = h + 1;
  if (kind.few) {  // fewer channels, or rows, than the window has
    if (within)
      h = between(rng, 1, size - 1);
    else
      c = between(rng, 1, size - 1);
  }
  const Shape x{between(rng, 1, 2), c, h, w};
  const double alpha = kind.paper ? 1e-4 : kind.alpha * rng.uniform(0.8, 1.2);
  const double beta = kind.paper ? 0.75 : rng.uniform(0.4, 1.2),
               k = kind.paper ? 2 : rng.uniform(0.7, 2.5);
  Record r;
  r.put("call", std::string(function));
  r.put("what", std::string(function) + ": x " + x.str() + ", size " + std::to_string(size) +
                    ", alpha " + written(alpha) + ", beta " + written(beta) + ", k " + written(k));
  r.put("shape", Integers{x[0], x[1], x[2], x[3], size});
  r.put("alpha", {}, {alpha});
  r.put("beta", {}, {beta});
  r.put("k", {}, {k});
  Doubles values = normal(rng, x.numel());
  for (double& value : values) value *= kind.deviation;
  r.put("x", x.sizes(), values);
  r.put("dy", x.sizes(), normal(rng, x.numel()));
  return r;
}
LrnOptions lrn_options(const Record& in) {
  const bool within = in.text("call").find("within") != std::string::npos;
  return {.size = in.integers("shape")[4],
          .alpha = in.number("alpha"),
          .beta = in.number("beta"),
          .k = in.number("k"),
          .convention = AlphaConvention::paper,
          .region = within ? LrnRegion::within_channel : LrnRegion::across_channels};
}
template <const Lrns& kind>
std::vector<Record> lrns(Rng& rng, const char* function) {
  std::vector<Record> calls;
  const bool within = std::string(function).find("within") != std::string::npos;
  while (calls.size() < 4) calls.push_back(lrn_call(rng, function, within, kind));
  return calls;
}
void check_lrn(const Record& in, const Record& out) {
  const Tensor y =
      local_response_norm(tensor(in.doubles("x"), Shape(in.shape("x"))), lrn_options(in));
  compare("y", y.shape(), y.to_vector<double>(), out.doubles("y"));
}
void check_lrn_backward(const Record& in, const Record& out) {
  const LrnOptions options = lrn_options(in);
  check_gradient(in, out, [&](const Tensor& x) { return local_response_norm(x, options); });
}

// ---- the list --------------------------------------------------------------------------------

constexpr Pools kTiles{.overlap = false}, kOverlap{}, kPadded{.pad = 1, .negative = true},
    kTies{.ties = true};
constexpr Lrns kPaper{.paper = true}, kBright{.deviation = 100, .paper = true}, kStrong{},
    kFew{.few = true}, kEven{.even = true};

template <const Pools& kind>
void add_pools(std::vector<Case>& all, const std::string& name) {
  all.push_back(
      {"pool_" + name, +[](Rng& r) { return pools<kind>(r, "max_pool_forward"); }, check_max_pool});
  all.push_back({"pool_backward_" + name,
                 +[](Rng& r) { return pools<kind>(r, "max_pool_backward"); },
                 check_max_pool_backward});
}
template <const Lrns& kind>
void add_lrns(std::vector<Case>& all, const std::string& name) {
  all.push_back({"lrn_" + name, +[](Rng& r) { return lrns<kind>(r, "lrn_forward"); }, check_lrn});
  all.push_back({"lrn_backward_" + name, +[](Rng& r) { return lrns<kind>(r, "lrn_backward"); },
                 check_lrn_backward});
  all.push_back(
      {"within_" + name, +[](Rng& r) { return lrns<kind>(r, "lrn_within_forward"); }, check_lrn});
  all.push_back({"within_backward_" + name,
                 +[](Rng& r) { return lrns<kind>(r, "lrn_within_backward"); }, check_lrn_backward});
}

}  // namespace

const std::vector<Case>& cases() {
  static const std::vector<Case> all = [] {
    std::vector<Case> list;
    add_pools<kTiles>(list, "tiles");
    add_pools<kOverlap>(list, "overlap");
    add_pools<kPadded>(list, "padding");
    add_pools<kTies>(list, "ties");
    add_lrns<kPaper>(list, "paper");
    add_lrns<kBright>(list, "bright");
    add_lrns<kStrong>(list, "strong");
    add_lrns<kFew>(list, "few");
    add_lrns<kEven>(list, "even");
    return list;
  }();
  return all;
}

}  // namespace course

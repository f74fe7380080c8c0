// 6.2 and 6.3: max pooling and its gradient.
#include <algorithm>
#include <cmath>

#include "backends/registry.h"
#include "judge_layers.h"
#include "layers/max_pool2d.h"

namespace course {
namespace {

using namespace limulus;

struct Pools {
  std::int64_t pad = 0;
  bool overlap = true, negative = false, ties = false;
};
constexpr Pools kTiles{.overlap = false}, kOverlap{}, kPadded{.pad = 1, .negative = true},
    kTies{.ties = true};

Pool2dOptions options_of(const Integers& v) {
  return {.kernel = v[4], .stride = Size2d(v[5]), .pad = v[6]};
}

Record pool_call(Rng& rng, const char* function, const Pools& kind, const Where& where) {
  const std::int64_t f = between(rng, 2, 4);
  const std::int64_t s = kind.overlap ? between(rng, 1, std::max<std::int64_t>(1, f - 1)) : f;
  const std::int64_t p = kind.pad > 0 ? between(rng, 1, f / 2) : 0;
  // Where windows do not overlap, some last rows and columns are in none.
  const std::int64_t h = f + between(rng, 2, 9);
  std::int64_t w = f + between(rng, 2, 9);
  if (w == h) ++w;
  Integers v = {between(rng, 1, 2), between(rng, 1, 3), h, w, f, s, p};
  const Shape x{v[0], v[1], h, w};
  const Pool2dShape pool = pool2d_shape(x, options_of(v), "max_pool2d");
  v.insert(v.end(), {pool.window.h.out, pool.window.w.out});
  Record r = begin_call(function,
                        "x " + x.str() + ", size " + std::to_string(f) + ", stride " +
                            std::to_string(s) + ", pad " + std::to_string(p),
                        v, some_group(rng), where);
  Doubles values = floats(rng, x.numel());
  for (double& value : values) {
    if (kind.ties) value = static_cast<double>(rng.below(3));
    if (kind.negative) value = -1 - std::abs(value);
  }
  values = as_floats(values);
  const Shape y = pooled(pool);
  r.put("x", x.sizes(), values);
  r.put("dy", y.sizes(), floats(rng, y.numel()));
  // What 6.3 is given comes from here, not from the student's 6.2.
  std::vector<std::int32_t> argmax(static_cast<std::size_t>(y.numel()));
  Doubles largest(argmax.size());
  device("reference")
      .max_pool2d_forward(DType::f64, pool, values.data(), largest.data(), argmax.data());
  r.put("argmax", Integers(argmax.begin(), argmax.end()));
  return r;
}
template <const Pools& kind, const Where& where>
Calls pools(Rng& rng, const char* function) {
  Calls calls;
  for (int i = 0; i < where.calls; ++i) calls.push_back(pool_call(rng, function, kind, where));
  return calls;
}

Tensor tensor(const Record& in, const char* name) {
  return Tensor::from(in.doubles(name), Shape(in.shape(name)), device("reference"));
}

void check_forward(const Record& in, const Record& out) {
  const Tensor y = max_pool2d(tensor(in, "x"), options_of(in.integers("shape")));
  for (const std::string& place : places(in)) {
    compare("y", y.shape(), y.to_vector<double>(), out.doubles("y" + place), 0);
    compare("argmax", in.integers("argmax"), out.integers("argmax" + place));
  }
}
void check_backward(const Record& in, const Record& out) {
  const Pool2dOptions options = options_of(in.integers("shape"));
  Tensor x = tensor(in, "x");
  x.set_requires_grad();
  const Tensor y = max_pool2d(x, options);
  y.backward(Tensor::from(in.doubles("dy"), y.shape(), device("reference")));
  const Doubles result = y.to_vector<double>();
  const auto moved = [&](const Doubles& v) {
    const NoGrad values_only;
    return max_pool2d(Tensor::from(v, x.shape(), device("reference")), options).to_vector<double>();
  };
  for (const std::string& place : places(in))
    compare_gradient({"dx", x.shape(), y.shape(), in.doubles("x"), result, in.doubles("dy"), moved},
                     x.grad().to_vector<double>(), out.doubles("dx" + place), 1e-5);
}

template <const Pools& kind, const Where& where = kOnDevice>
void add(std::vector<Case>& all, const std::string& name) {
  all.push_back({"pool_" + name, +[](Rng& r) { return pools<kind, where>(r, "max_pool_forward"); },
                 check_forward});
  all.push_back({"pool_backward_" + name,
                 +[](Rng& r) { return pools<kind, where>(r, "max_pool_backward"); },
                 check_backward});
}

}  // namespace

void add_pools(std::vector<Case>& all) {
  add<kTiles>(all, "tiles");
  add<kOverlap>(all, "overlap");
  add<kPadded>(all, "padding");
  add<kTies>(all, "ties");
  add<kPadded, kInOclgrind>(all, "oclgrind");
}

}  // namespace course

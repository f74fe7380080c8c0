// Rows for pairs of layers that run as one (Module::forward_fused). They are compared with
// the same pairs on other backends. layers_fuse_test.cpp compares them with the layers one by
// one.
#include <fmt/core.h>

#include "gradcheck/cases/op_cases.h"
#include "layers/activation.h"
#include "layers/conv2d.h"
#include "layers/linear.h"
#include "layers/local_response_norm.h"
#include "layers/max_pool2d.h"

namespace limulus {
namespace {

using In = std::vector<Tensor>;

// In one pass if the backend has it, else one by one, as Sequential does.
Tensor both(Module& first, Module&& next, const Tensor& x) {
  const Tensor fused = first.forward_fused(x, next);
  return fused.defined() ? fused : next.forward(first.forward(x));
}

OpCase conv_relu(const Shape& x, std::int64_t k, const Conv2dOptions& o) {
  const Shape w = {k, x[1] / o.groups, o.kernel.h, o.kernel.w};
  OpCase c{"conv2d+relu",
           fmt::format("conv2d+relu x{} w{} stride {} pad {} groups {}{}", x.str(), w.str(),
                       o.stride.h, o.pad.h, o.groups, o.bias ? "" : " no bias"),
           {{"x", x}, {"w", w}},
           [=](const In& in) {
             Conv2d layer(x[1], k, o, in[0].backend(), in[0].dtype());
             layer.weight = in[1];
             if (o.bias) layer.bias = in[2];
             return both(layer, ReLU(), in[0]);
           }};
  if (o.bias) c.inputs.push_back({"b", {k}});
  c.condition = conv_condition(conv2d_shape(x, w, o));
  return c;
}

OpCase linear_relu(std::int64_t n, std::int64_t in_features, std::int64_t out, bool bias) {
  OpCase c{"linear+relu",
           fmt::format("linear+relu x[{}, {}] w[{}, {}]{}", n, in_features, out, in_features,
                       bias ? "" : " no bias"),
           {{"x", {n, in_features}}, {"w", {out, in_features}}},
           [=](const In& in) {
             Linear layer(in_features, out, in[0].backend(), in[0].dtype(), bias);
             layer.weight = in[1];
             if (bias) layer.bias = in[2];
             return both(layer, ReLU(), in[0]);
           }};
  if (bias) c.inputs.push_back({"b", {out}});
  return c;
}

OpCase lrn_pool(const Shape& x, std::int64_t size, const Pool2dOptions& pool) {
  const LrnOptions o{.size = size, .alpha = 0.5, .beta = 0.75, .k = 1};  // so that it matters
  return {"local_response_norm+max_pool2d",
          fmt::format("local_response_norm+max_pool2d x{} size {} window {}x{} stride {} pad {}{}",
                      x.str(), size, pool.kernel.h, pool.kernel.w,
                      pool.stride.value_or(pool.kernel).h, pool.pad.h, pool.ceil ? " ceil" : ""),
          {{"x", x, Fill::distinct}},
          [=](const In& in) {
            LocalResponseNorm first(o);
            return both(first, MaxPool2d(pool), in[0]);
          }};
}

}  // namespace

std::vector<OpCase> fused_cases() {
  const Pool2dOptions overlapping = {.kernel = 3, .stride = 2};
  std::vector<OpCase> rows = {
      conv_relu({1, 3, 15, 17}, 5, {.kernel = 11, .stride = 4}),
      conv_relu({2, 3, 7, 5}, 4, {.kernel = 3, .pad = 1}),
      conv_relu({1, 4, 9, 9}, 6, {.kernel = 5, .pad = 2, .groups = 2}),
      conv_relu({2, 2, 6, 6}, 3, {.kernel = 2, .stride = 2, .bias = false}),
      linear_relu(1, 7, 5, true),
      linear_relu(3, 20, 9, true),
      linear_relu(2, 4, 3, false),
      lrn_pool({1, 1, 3, 3}, 1, overlapping),
      lrn_pool({2, 6, 7, 7}, 5, overlapping),
      lrn_pool({1, 7, 8, 5}, 3, {.kernel = 3, .stride = 2, .ceil = true}),
      lrn_pool({2, 3, 6, 9}, 4, {.kernel = {2, 3}, .stride = Size2d{1, 2}, .pad = 1}),
  };
  for (OpCase large :
       {conv_relu({2, 3, 67, 67}, 96, {.kernel = 11, .stride = 4}),
        conv_relu({2, 64, 13, 13}, 96, {.kernel = 3, .pad = 1, .groups = 2}),
        conv_relu({1, 48, 27, 27}, 64, {.kernel = 5, .pad = 2}), linear_relu(1, 1000, 300, true),
        linear_relu(33, 1300, 130, true), lrn_pool({2, 96, 55, 55}, 5, overlapping)}) {
    large.large = true;
    rows.push_back(std::move(large));
  }
  return rows;
}

}  // namespace limulus

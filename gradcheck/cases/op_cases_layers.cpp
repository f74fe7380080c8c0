// Rows for layers/: small ones, where every entry is compared with differences, and large ones that
// reach the blocked paths of fast kernels.
#include <fmt/core.h>

#include "backends/convolution.h"
#include "core/algebra.h"
#include "gradcheck/cases/op_cases.h"
#include "layers/activation.h"
#include "layers/avg_pool2d.h"
#include "layers/batch_norm2d.h"
#include "layers/conv2d.h"
#include "layers/cross_entropy.h"
#include "layers/dropout.h"
#include "layers/linear.h"
#include "layers/local_response_norm.h"
#include "layers/max_pool2d.h"
#include "layers/softmax.h"

namespace limulus {
namespace {

using In = std::vector<Tensor>;

std::string str(const Size2d& s) {
  return s.h == s.w ? fmt::format("{}", s.h) : fmt::format("{}x{}", s.h, s.w);
}

struct Conv {
  std::int64_t n, c, h, w, k;
  Size2d kernel, stride = 1, pad = 0, dilation = 1;
  std::int64_t groups = 1;
  bool bias = true;
};

OpCase conv_case(const Conv& v) {
  Conv2dOptions o;
  o.stride = v.stride;
  o.pad = v.pad;
  o.dilation = v.dilation;
  o.groups = v.groups;
  const Shape x = {v.n, v.c, v.h, v.w}, w = {v.k, v.c / v.groups, v.kernel.h, v.kernel.w};
  OpCase c{
      "conv2d",
      fmt::format("conv2d x{} w{} stride {} pad {} dilation {} groups {}{}", x.str(), w.str(),
                  str(v.stride), str(v.pad), str(v.dilation), v.groups, v.bias ? "" : " no bias"),
      {{"x", x}, {"w", w}},
      [o](const In& in) { return conv2d(in[0], in[1], in.size() > 2 ? in[2] : Tensor(), o); }};
  if (v.bias) c.inputs.push_back({"b", {v.k}});
  c.condition = conv_condition(conv2d_shape(x, w, o));
  return c;
}

void conv_cases(std::vector<OpCase>& out) {
  const Conv rows[] = {
      {1, 1, 1, 1, 1, 1},
      {2, 3, 5, 5, 4, 1},
      {1, 1, 7, 7, 1, 3},
      {2, 3, 7, 5, 4, 3, 1, 1},
      {1, 2, 7, 13, 3, {3, 1}, 1, {1, 0}},
      {1, 2, 5, 17, 3, {1, 5}, 1, {0, 2}},
      {1, 3, 9, 9, 5, 3, 2},
      {2, 2, 8, 7, 3, 3, 2, 1},
      {1, 2, 11, 11, 3, 5, 4},      // stride beyond half the kernel
      {1, 2, 11, 10, 3, 2, 3},      // stride larger than the kernel: pixels nobody reads
      {1, 1, 13, 13, 7, 11, 1, 5},  // a kernel almost as large as the image
      {1, 3, 5, 5, 2, 5},           // the kernel covers the image: 1 x 1 left
      {1, 2, 6, 7, 3, {2, 3}, {1, 2}, {1, 2}},
      {2, 3, 4, 4, 2, 3, 1, 3},  // padding wider than needed: windows of zeros only
      {1, 2, 9, 9, 3, 3, 1, 0, 2},
      {1, 2, 9, 11, 3, 3, 2, 2, {2, 3}},
      {1, 1, 8, 17, 2, {2, 3}, {3, 1}, {0, 1}, {3, 2}},
      {1, 4, 6, 5, 6, 3, 1, 1, 1, 2},
      {2, 6, 5, 5, 9, 3, 2, 1, 1, 3},
      {1, 5, 6, 6, 5, 3, 1, 1, 1, 5},  // depthwise
      {1, 3, 7, 5, 6, 2, 1, 0, 1, 3},  // depthwise, two kernels a channel
      {1, 4, 9, 9, 4, 3, 2, 1, 2, 2},  // groups, stride, padding and dilation
      {3, 2, 5, 5, 3, 3, 1, 1, 1, 1, false},
      {1, 4, 5, 5, 4, 3, 1, 0, 1, 4, false},
      {1, 17, 3, 3, 33, 3, 1, 1},   // more channels than a vector
      {1, 3, 19, 19, 7, 11, 4},     // AlexNet's first layer, small
      {2, 1, 33, 21, 5, 11, 4, 2},  // a ragged edge, padding, one channel
      {1, 2, 14, 13, 3, {5, 6}, 2, {2, 1}},
      {1, 3, 16, 12, 2, {9, 5}, {4, 2}, {0, 3}},  // two strides
      {1, 2, 11, 13, 4, 7, 2, 3},                 // wider than three strides
      {1, 4, 15, 15, 4, 5, 2, 1, 1, 2},           // groups
      {1, 4, 7, 7, 6, 5, 1, 2, 1, 2},             // AlexNet's second layer, small
      // Winograd's tiles, of 3 x 3 outputs for 5 x 5 windows and of 5 x 5 for 3 x 3
      {1, 2, 8, 7, 5, 5},         // a ragged edge
      {2, 3, 1, 9, 4, 5, 1, 2},   // one row
      {1, 2, 3, 2, 3, 5, 1, 4},   // more padding than image
      {1, 17, 4, 4, 2, 5, 1, 1},  // fewer outputs than a tile
      {2, 2, 11, 6, 3, 3, 1, 2},  // 13 x 8
      {1, 3, 6, 4, 9, 5, 1, 3, 1, 3},
  };
  for (const Conv& row : rows) out.push_back(conv_case(row));
}

OpCase lrn_case(const Shape& x, const LrnOptions& o) {
  return {"lrn",
          fmt::format("lrn {} x{} size {} alpha {} beta {} k {} {}",
                      o.region == LrnRegion::across_channels ? "across" : "within", x.str(), o.size,
                      o.alpha, o.beta, o.k,
                      o.convention == AlphaConvention::paper ? "paper" : "per element"),
          {{"x", x}},
          [o](const In& in) { return local_response_norm(in[0], o); }};
}

// Alpha is near 1 in most rows: at 1e-4 a backward without its second term is right to four digits.
void lrn_cases(std::vector<OpCase>& out) {
  constexpr auto paper = AlphaConvention::paper, per_element = AlphaConvention::per_element;
  constexpr auto across = LrnRegion::across_channels, within = LrnRegion::within_channel;
  struct Row {
    Shape x;
    LrnOptions o;
  };
  const Row rows[] = {
      {{2, 7, 3, 5}, {5, 1e-4, 0.75, 2, paper, across}},
      {{2, 7, 3, 5}, {5, 1, 0.75, 2, paper, across}},
      {{1, 17, 1, 3}, {5, 0.9, 0.75, 1, paper, across}},
      {{1, 33, 2, 2}, {4, 1.1, 0.75, 2, paper, across}},  // an even window reaches further back
      {{1, 8, 3, 3}, {2, 0.8, 0.5, 1, paper, across}},
      {{1, 3, 5, 7}, {5, 1, 0.75, 2, paper, across}},  // fewer channels than the window
      {{2, 1, 3, 3}, {5, 1, 0.75, 2, paper, across}},
      {{1, 4, 2, 3}, {9, 1, 0.6, 2, paper, across}},
      {{1, 5, 3, 3}, {1, 1, 0.75, 2, paper, across}},
      {{1, 6, 1, 13}, {3, 1, 1, 1, paper, across}},
      {{2, 7, 3, 3}, {5, 1, 0.75, 2, per_element, across}},
      {{1, 6, 2, 2}, {4, 5, 0.75, 1, per_element, across}},
      {{1, 2, 7, 5}, {3, 1, 0.75, 2, paper, within}},
      {{1, 2, 7, 5}, {5, 0.9, 0.75, 1, paper, within}},
      {{1, 1, 6, 13}, {4, 1, 0.6, 2, paper, within}},
      {{1, 2, 5, 5}, {2, 1.1, 0.75, 1, paper, within}},
      {{1, 2, 3, 2}, {5, 1, 0.75, 2, paper, within}},  // an image smaller than the window
      {{1, 1, 1, 17}, {3, 1, 0.75, 2, paper, within}},
      {{2, 1, 4, 3}, {1, 1, 0.75, 2, paper, within}},
      {{1, 2, 5, 7}, {3, 3, 0.75, 1, per_element, within}},
  };
  for (const auto& [x, o] : rows) out.push_back(lrn_case(x, o));
}

OpCase pool_case(bool max, const Shape& x, const Pool2dOptions& o) {
  const char* op = max ? "max_pool2d" : "avg_pool2d";
  return {op,
          fmt::format("{} x{} kernel {} stride {} pad {}{}{}", op, x.str(), str(o.kernel),
                      str(o.stride.value_or(o.kernel)), str(o.pad), o.ceil ? " ceil" : "",
                      max || o.count_include_pad ? "" : " inside only"),
          {{"x", x, max ? Fill::distinct : Fill::normal}},
          [=](const In& in) { return max ? max_pool2d(in[0], o) : avg_pool2d(in[0], o); }};
}

void pool_cases(std::vector<OpCase>& out) {
  struct Row {
    Shape x;
    Pool2dOptions o;
  };
  const Row rows[] = {
      {{1, 1, 1, 1}, {1, {}, 0}},
      {{2, 3, 6, 4}, {2, {}, 0}},
      {{2, 2, 7, 7}, {3, 2, 0}},  // AlexNet's: overlapping
      {{1, 2, 13, 17}, {3, 2, 0}},
      {{1, 2, 5, 33}, {{2, 3}, Size2d{1, 2}, 0}},
      {{1, 2, 7, 7}, {2, 3, 0}},  // gaps between windows
      {{1, 2, 5, 5}, {5, 1, 0}},
      {{1, 2, 6, 7}, {3, 2, 1}},
      {{1, 2, 5, 5}, {{3, 2}, Size2d{2, 1}, {1, 0}}},
      {{1, 2, 6, 8}, {3, 2, 0, true}},  // ceil: a ragged last row and column
      {{1, 2, 7, 6}, {2, 3, 1, true}},
      {{1, 1, 4, 5}, {3, 3, 1, true}},
      {{1, 3, 8, 8}, {2, 2, 0, true}},  // nothing left over
  };
  for (const auto& [x, o] : rows) {
    out.push_back(pool_case(true, x, o));
    out.push_back(pool_case(false, x, o));
    if (o.pad == Size2d(0) && !o.ceil) continue;  // both divisors are the same
    Pool2dOptions inside = o;
    inside.count_include_pad = false;
    out.push_back(pool_case(false, x, inside));
  }
}

OpCase linear_case(std::int64_t n, std::int64_t in, std::int64_t out, bool bias) {
  OpCase c{"linear",
           fmt::format("linear {}x{} -> {}{}", n, in, out, bias ? "" : " no bias"),
           {{"x", {n, in}}, {"w", {out, in}}},
           [](const In& t) { return linear(t[0], t[1], t.size() > 2 ? t[2] : Tensor()); }};
  if (bias) c.inputs.push_back({"b", {out}});
  return c;
}

OpCase softmax_case(const Shape& x) {
  OpCase c{"softmax", fmt::format("softmax x{}", x.str()), {{"x", x}}, [](const In& in) {
             return softmax(in[0] * 3.0);  // a spread of several powers of e
           }};
  c.condition = 16;
  return c;
}

OpCase cross_entropy_case(std::int64_t n, std::int64_t classes, bool each) {
  return {"cross_entropy",
          fmt::format("cross_entropy{} x[{}, {}]", each ? "_each" : "", n, classes),
          {{"x", {n, classes}}, {"labels", {n}, Fill::labels, classes}},
          [each](const In& in) {
            return each ? cross_entropy_each(in[0] * 3.0, in[1]) : cross_entropy(in[0], in[1]);
          }};
}

OpCase dropout_case(const Shape& x, double p, std::uint64_t step) {
  return {"dropout", fmt::format("dropout x{} p {}", x.str(), p), {{"x", x}}, [=](const In& in) {
            return dropout(in[0], p, {7, step});
          }};
}

OpCase batch_norm_case(const Shape& x, bool training) {
  const Shape channels = {x[1]};
  return {"batch_norm2d",
          fmt::format("batch_norm2d x{} {}", x.str(), training ? "train" : "eval"),
          {{"x", x}, {"weight", channels, Fill::nonzero}, {"bias", channels}},
          [=](const In& in) {
            const Tensor& w = in[1];
            const Tensor mean = Tensor::full(channels, 0.25, w.dtype(), w.backend());
            const Tensor variance = Tensor::full(channels, 1.5, w.dtype(), w.backend());
            return batch_norm2d(in[0], w, in[2], mean, variance, training, {0.1, 1e-3});
          }};
}

void row_cases(std::vector<OpCase>& out) {
  out.push_back(linear_case(1, 1, 1, true));
  out.push_back(linear_case(5, 7, 3, true));
  out.push_back(linear_case(3, 33, 17, true));
  out.push_back(linear_case(1, 13, 5, false));
  for (const Shape& x : {Shape{1, 7}, Shape{5, 13}, Shape{3, 33}, Shape{2, 3, 5}})
    out.push_back(softmax_case(x));
  out.push_back(cross_entropy_case(1, 3, false));
  out.push_back(cross_entropy_case(5, 7, false));
  out.push_back(cross_entropy_case(3, 33, true));
  out.push_back(cross_entropy_case(13, 2, true));
  out.push_back(dropout_case({33}, 0.5, 1));
  out.push_back(dropout_case({3, 5, 7}, 0.2, 2));
  out.push_back(dropout_case({17}, 0, 3));
  for (const bool training : {true, false})
    for (const Shape& x : {Shape{2, 3, 5, 7}, Shape{7, 1, 1, 1}, Shape{3, 5, 1, 3}})
      out.push_back(batch_norm_case(x, training));
}

// AlexNet in miniature: all its kinds of layers in a row, down to the loss.
void network_cases(std::vector<OpCase>& out) {
  out.push_back({"network",
                 "network of AlexNet's layers",
                 {{"x", {2, 2, 11, 11}},
                  {"w1", {4, 2, 3, 3}},
                  {"b1", {4}},
                  {"w2", {4, 2, 3, 3}},
                  {"w3", {5, 16}},
                  {"b3", {5}},
                  {"labels", {2}, Fill::labels, 5}},
                 [](const In& in) {
                   Tensor h = relu(conv2d(in[0], in[1], in[2], {.stride = 2}));  // 5 x 5
                   h = local_response_norm(h, {.alpha = 0.5});
                   h = relu(conv2d(h, in[3], Tensor(), {.pad = 1, .groups = 2}));
                   h = max_pool2d(h, {.kernel = 3, .stride = 2});  // 2 x 2
                   h = dropout(flatten(h), 0.5, {7, 4});
                   return cross_entropy(linear(h, in[4], in[5]), in[6]);
                 }});
  // Both of its convolutions are too small for Winograd's method, unless that is forced.
  if (conv_method() == ConvMethod::winograd) out.back().condition = 8;
}

}  // namespace

double conv_condition(const Conv2dShape& s) {
  const Window1d &h = s.window.h, &w = s.window.w;
  if (conv_method() == ConvMethod::direct || h.dilation != 1 || w.dilation != 1) return 1;
  const bool plain =
      h.stride == 1 && w.stride == 1 && h.kernel == w.kernel && (h.kernel == 3 || h.kernel == 5);
  const auto three_steps = [](const Window1d& a) {  // a stride makes 3 x 3 of a wider window
    return (a.stride == 2 || a.stride == 4) && a.kernel > 2 * a.stride && a.kernel <= 3 * a.stride;
  };
  const bool strided =
      s.groups == 1 && s.c * h.stride * w.stride <= 48 && three_steps(h) && three_steps(w);
  return plain || strided ? 8 : 1;
}

std::vector<OpCase> layer_cases() {
  std::vector<OpCase> out;
  conv_cases(out);
  lrn_cases(out);
  pool_cases(out);
  row_cases(out);
  network_cases(out);
  return out;
}

std::vector<OpCase> large_cases() {
  std::vector<OpCase> out;
  for (const bool ta : {false, true})
    for (const bool tb : {false, true})
      out.push_back({"matmul",
                     fmt::format("matmul 130x300x70{}{}", ta ? " a^T" : "", tb ? " b^T" : ""),
                     {{"a", ta ? Shape{300, 130} : Shape{130, 300}},
                      {"b", tb ? Shape{70, 300} : Shape{300, 70}}},
                     [=](const In& in) { return matmul(in[0], in[1], ta, tb); }});
  out.push_back(conv_case({5, 96, 13, 13, 128, 3, 1, 1, 1, 2}));  // AlexNet's last ones
  out.push_back(conv_case({1, 3, 67, 67, 96, 11, 4}));            // its first: 15 x 15
  out.push_back(conv_case({5, 3, 74, 99, 33, 11, 4, 2}));         // 17 x 24
  out.push_back(conv_case({3, 3, 40, 37, 20, 5, 2, 2}));          // 20 x 19
  out.push_back(conv_case({3, 32, 15, 15, 64, 5, 1, 2, 1, 2}));   // its second
  out.push_back(conv_case({2, 20, 17, 23, 33, {3, 5}, {2, 1}, {1, 2}, {1, 2}}));
  out.push_back(conv_case({1, 394, 9, 7, 34, 3, 1, 1}));  // more channels than a pass takes
  out.push_back(conv_case({200, 33, 8, 11, 10, 3}));      // several blocks of tiles
  out.push_back(conv_case({2, 34, 31, 16, 70, 5, 1, 2, 1, 2}));
  out.push_back(conv_case({9, 64, 1, 1, 65, 1}));
  // Maps that the direct method cuts into strips of rows
  out.push_back(conv_case({2, 3, 131, 127, 17, 11, 4}));  // 31 x 30
  out.push_back(conv_case({3, 6, 41, 45, 10, 3, 1, 1}));
  out.push_back(linear_case(67, 515, 129, true));
  out.push_back(linear_case(1, 1030, 70, true));
  out.push_back(linear_case(13, 64, 390, true));
  out.push_back(lrn_case({3, 96, 13, 13}, {.alpha = 0.5}));
  out.push_back(
      lrn_case({2, 16, 27, 27}, {.size = 3, .alpha = 0.5, .region = LrnRegion::within_channel}));
  out.push_back(pool_case(true, {3, 64, 27, 27}, {3, 2}));
  out.push_back(pool_case(false, {3, 64, 27, 27}, {3, 2, 1, true}));
  out.push_back(softmax_case({64, 1000}));
  out.push_back(cross_entropy_case(64, 1000, false));
  out.push_back(dropout_case({100003}, 0.5, 5));
  out.push_back(batch_norm_case({9, 33, 13, 13}, true));
  for (const UnaryOp op : {UnaryOp::exp, UnaryOp::log, UnaryOp::relu, UnaryOp::tanh})
    out.push_back({name_of(op),
                   fmt::format("{} x[100003]", name_of(op)),
                   {{"x", {100003}, op == UnaryOp::log ? Fill::positive : Fill::normal}},
                   [op](const In& in) { return unary(op, in[0]); }});
  out.push_back({"mul",
                 "mul a[9, 33, 31, 13] b[33, 1, 1]",
                 {{"a", {9, 33, 31, 13}}, {"b", {33, 1, 1}}},
                 [](const In& in) { return in[0] * in[1]; }});
  for (const int axis : {0, 1, 2})
    out.push_back({"sum",
                   fmt::format("sum x[67, 131, 33] axis {}", axis),
                   {{"x", {67, 131, 33}}},
                   [axis](const In& in) { return sum(in[0], axis); }});
  for (OpCase& c : out) c.large = true;
  return out;
}

}  // namespace limulus

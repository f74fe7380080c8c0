// Mistakes in the gradients of a convolution and of a linear layer.
#include <algorithm>
#include <vector>

#include "backends/registry.h"
#include "gradcheck/cases/mutations.h"
#include "layers/conv2d.h"
#include "layers/linear.h"

namespace limulus {
namespace {

using In = std::vector<Tensor>;
using Values = std::vector<double>;

Backend& right() { return device("reference"); }

OpCase conv(const Shape& x, const Shape& w, const Conv2dOptions& o) {
  return {"conv2d", "conv2d with a mistake", {{"x", x}, {"w", w}, {"b", {w[0]}}}, [o](const In& t) {
            return conv2d(t[0], t[1], t[2], o);
          }};
}
// Shapes like those of AlexNet's layers, but small.
OpCase plain() { return conv({2, 3, 6, 7}, {4, 3, 3, 3}, {.pad = 1}); }
OpCase strided() { return conv({2, 2, 7, 9}, {3, 2, 3, 3}, {.stride = 2, .pad = 1}); }
OpCase dilated() { return conv({1, 2, 9, 8}, {3, 2, 3, 3}, {.pad = 2, .dilation = 2}); }
OpCase grouped() { return conv({2, 4, 5, 6}, {6, 2, 3, 3}, {.pad = 1, .groups = 2}); }

std::int64_t elements_x(const Conv2dShape& s) { return s.n * s.c * s.window.h.in * s.window.w.in; }
std::int64_t elements_w(const Conv2dShape& s) {
  return s.k * (s.c / s.groups) * s.window.h.kernel * s.window.w.kernel;
}
std::int64_t elements_y(const Conv2dShape& s) {
  return s.n * s.k * s.window.h.out * s.window.w.out;
}

using ShapeChange = void (*)(Conv2dShape&);

// The right loops, told a wrong shape.
WrongPrimitives input_with(ShapeChange change) {
  WrongPrimitives p;
  p.conv_input = [=](Conv2dShape s, const double* dy, const double* w, double* dx) {
    change(s);
    right().conv2d_backward_input(DType::f64, s, dy, w, dx);
  };
  return p;
}
WrongPrimitives weight_with(ShapeChange change) {
  WrongPrimitives p;
  p.conv_weight = [=](Conv2dShape s, const double* x, const double* dy, double* dw) {
    change(s);
    right().conv2d_backward_weight(DType::f64, s, x, dy, dw);
  };
  return p;
}

// The right gradient, changed afterwards: change(s, d).
template <class F>
WrongPrimitives input_then(F change) {
  WrongPrimitives p;
  p.conv_input = [=](const Conv2dShape& s, const double* dy, const double* w, double* dx) {
    right().conv2d_backward_input(DType::f64, s, dy, w, dx);
    change(s, dx);
  };
  return p;
}
template <class F>
WrongPrimitives weight_then(F change) {
  WrongPrimitives p;
  p.conv_weight = [=](const Conv2dShape& s, const double* x, const double* dy, double* dw) {
    right().conv2d_backward_weight(DType::f64, s, x, dy, dw);
    change(s, dw);
  };
  return p;
}

// The right loops, given other weights: change(s, w).
template <class F>
WrongPrimitives input_of_weights(F change) {
  WrongPrimitives p;
  p.conv_input = [=](const Conv2dShape& s, const double* dy, const double* w, double* dx) {
    Values other(w, w + elements_w(s));
    change(s, other);
    right().conv2d_backward_input(DType::f64, s, dy, other.data(), dx);
  };
  return p;
}

// The right loops, given a dy in which some results are 0: kept(s, image, row).
template <class F>
Values masked(const Conv2dShape& s, const double* dy, F kept) {
  Values out(dy, dy + elements_y(s));
  const std::int64_t row = s.window.w.out, image = s.k * s.window.h.out * row;
  for (std::int64_t i = 0; i < elements_y(s); ++i)
    if (!kept(i / image, i / row % s.window.h.out)) out[static_cast<std::size_t>(i)] = 0;
  return out;
}
template <class F>
WrongPrimitives weight_of_some(F kept) {
  WrongPrimitives p;
  p.conv_weight = [=](const Conv2dShape& s, const double* x, const double* dy, double* dw) {
    const Values some = masked(s, dy, [&](auto... at) { return kept(s, at...); });
    right().conv2d_backward_weight(DType::f64, s, x, some.data(), dw);
  };
  return p;
}

// ---- the changes -------------------------------------------------------------------------------

bool last_image(const Conv2dShape& s, std::int64_t n, std::int64_t) { return n == s.n - 1; }
bool not_last_row(const Conv2dShape& s, std::int64_t, std::int64_t row) {
  return row < s.window.h.out - 1;
}

void turn_taps(const Conv2dShape& s, double* w) {
  const std::int64_t taps = s.window.h.kernel * s.window.w.kernel;
  for (std::int64_t i = 0; i < elements_w(s); i += taps) std::reverse(w + i, w + i + taps);
}

void exchange_taps(const Conv2dShape& s, double* w) {  // rows and columns of a square kernel
  const std::int64_t f = s.window.h.kernel;
  for (std::int64_t i = 0; i < elements_w(s); i += f * f)
    for (std::int64_t r = 0; r < f; ++r)
      for (std::int64_t c = 0; c < r; ++c) std::swap(w[i + r * f + c], w[i + c * f + r]);
}

void exchange_channels(const Conv2dShape& s, double* w) {  // [K, C] becomes [C, K]
  const std::int64_t c = s.c / s.groups, taps = s.window.h.kernel * s.window.w.kernel;
  const Values old(w, w + elements_w(s));
  for (std::int64_t i = 0; i < elements_w(s); ++i) {
    const std::int64_t k = i / taps / c, channel = i / taps % c;
    w[(channel * s.k + k) * taps + i % taps] = old[static_cast<std::size_t>(i)];
  }
}

std::vector<Mutation> linear_mutations() {
  const auto linear_case = [](std::int64_t n, std::int64_t in, std::int64_t out) {
    return OpCase{"linear",
                  "linear with a mistake",
                  {{"x", {n, in}}, {"w", {out, in}}, {"b", {out}}},
                  [](const In& t) { return linear(t[0], t[1], t[2]); }};
  };
  WrongPrimitives transposed, last_row, bias, not_transposed;
  transposed.gemm = [](GemmShape s, const double* a, const double* b, double* c) {
    right().gemm(DType::f64, s, a, b, c);
    if (!s.trans_a) return;
    const Values old(c, c + s.m * s.n);
    for (std::int64_t i = 0; i < s.m * s.n; ++i)
      c[i % s.n * s.m + i / s.n] = old[static_cast<std::size_t>(i)];
  };
  last_row.gemm = [](GemmShape s, const double* a, const double* b, double* c) {
    if (s.trans_a) {
      a += (s.k - 1) * s.lda;
      b += (s.k - 1) * s.ldb;
      s.k = 1;
    }
    right().gemm(DType::f64, s, a, b, c);
  };
  not_transposed.gemm = [](GemmShape s, const double* a, const double* b, double* c) {
    if (!s.trans_a && !s.trans_b) s.trans_b = true;  // dx = dy w
    right().gemm(DType::f64, s, a, b, c);
  };
  bias.reduce = [](std::int64_t len, std::int64_t inner, const double* x, double* y) {
    std::copy_n(x + (len - 1) * inner, inner, y);
  };
  return {
      {"linear-w-transposed", "dw is written as [in, out]", "w", "transposed", linear_case(4, 5, 3),
       transposed},
      {"linear-w-last-row", "dw of the last row of the batch alone", "w", "overwritten",
       linear_case(4, 5, 3), last_row},
      {"linear-b-last-row", "db is overwritten for each row of the batch", "b", "overwritten",
       linear_case(4, 5, 3), bias},
      {"linear-x-not-transposed", "dx = dy w^T, with w square", "x", "", linear_case(3, 5, 5),
       not_transposed},
  };
}

}  // namespace

std::vector<Mutation> conv_mutations() {
  WrongPrimitives unwritten, accumulated, no_bias, mean_bias, last_bias;
  unwritten.conv_input = [](const Conv2dShape& s, const double* dy, const double* w, double* dx) {
    const Values fresh(dx, dx + elements_x(s));
    right().conv2d_backward_input(DType::f64, s, dy, w, dx);
    const std::int64_t row = s.window.w.in, rows = s.window.h.in;
    for (std::int64_t i = 0; i < elements_x(s); ++i)
      if (i / row % rows == rows - 1) dx[i] = fresh[static_cast<std::size_t>(i)];
  };
  accumulated.conv_weight = [](const Conv2dShape& s, const double* x, const double* dy,
                               double* dw) {
    Values sum(static_cast<std::size_t>(elements_w(s)));
    right().conv2d_backward_weight(DType::f64, s, x, dy, sum.data());
    for (std::size_t i = 0; i < sum.size(); ++i) dw[i] += sum[i];
  };
  no_bias.conv_bias = [](const Conv2dShape& s, const double*, double* db) {
    std::fill_n(db, s.k, 0.0);
  };
  mean_bias.conv_bias = [](const Conv2dShape& s, const double* dy, double* db) {
    right().conv2d_backward_bias(DType::f64, s, dy, db);
    for (std::int64_t k = 0; k < s.k; ++k)
      db[k] /= static_cast<double>(s.n * s.window.h.out * s.window.w.out);
  };
  last_bias.conv_bias = [](const Conv2dShape& s, const double* dy, double* db) {
    const Values some = masked(s, dy, [&](auto... at) { return last_image(s, at...); });
    right().conv2d_backward_bias(DType::f64, s, some.data(), db);
  };
  std::vector<Mutation> bank = {
      {"conv2d-x-flipped", "dx with filters flipped", "x", "flipped", plain(),
       input_of_weights([](const Conv2dShape& s, Values& w) { turn_taps(s, w.data()); })},
      {"conv2d-x-padding", "dx with a padding of P - 1", "x", "shifted", plain(),
       input_with([](Conv2dShape& s) { --s.window.h.pad, --s.window.w.pad; })},
      {"conv2d-x-padding-rows", "dx with a padding of P + 1 above", "x", "shifted", plain(),
       input_with([](Conv2dShape& s) { ++s.window.h.pad; })},
      {"conv2d-x-stride", "dx with the stride taken as 1", "x", "", strided(),
       input_with([](Conv2dShape& s) { s.window.h.stride = s.window.w.stride = 1; })},
      {"conv2d-x-dilation", "dx with the dilation taken as 1", "x", "", dilated(),
       input_with([](Conv2dShape& s) { s.window.h.dilation = s.window.w.dilation = 1; })},
      {"conv2d-x-window", "dx without the last row and column of each window", "x", "window",
       strided(), input_of_weights([](const Conv2dShape& s, Values& w) {
         const std::int64_t fh = s.window.h.kernel, fw = s.window.w.kernel;
         for (std::int64_t i = 0; i < elements_w(s); ++i)
           if (i / fw % fh == fh - 1 || i % fw == fw - 1) w[static_cast<std::size_t>(i)] = 0;
       })},
      {"conv2d-x-group", "dx of the first group alone", "x", "group", grouped(),
       input_then([](const Conv2dShape& s, double* dx) {
         const std::int64_t image = elements_x(s) / s.n;
         for (std::int64_t n = 1; n <= s.n; ++n)
           std::fill(dx + n * image - image / 2, dx + n * image, 0.0);
       })},
      {"conv2d-x-unwritten", "dx: the last row of each image is never written", "x", "unwritten",
       plain(), unwritten},
      {"conv2d-x-sign", "dx = -(dy * w)", "x", "sign", plain(),
       input_then([](const Conv2dShape& s, double* dx) {
         for (std::int64_t i = 0; i < elements_x(s); ++i) dx[i] = -dx[i];
       })},
      {"conv2d-w-flipped", "dw with its taps flipped", "w", "flipped", plain(),
       weight_then(turn_taps)},
      {"conv2d-w-taps-transposed", "dw with rows and columns of its taps exchanged", "w",
       "transposed", plain(), weight_then(exchange_taps)},
      {"conv2d-w-channels-transposed", "dw is written as [C, K, FH, FW]", "w", "transposed",
       plain(), weight_then(exchange_channels)},
      {"conv2d-w-padding", "dw with a padding of P - 1", "w", "shifted", plain(),
       weight_with([](Conv2dShape& s) { --s.window.h.pad, --s.window.w.pad; })},
      {"conv2d-w-stride", "dw with the stride taken as 1", "w", "", strided(),
       weight_with([](Conv2dShape& s) { s.window.h.stride = s.window.w.stride = 1; })},
      {"conv2d-w-dilation", "dw with the dilation taken as 1", "w", "dilation", dilated(),
       weight_with([](Conv2dShape& s) { s.window.h.dilation = s.window.w.dilation = 1; })},
      {"conv2d-w-last-image", "dw is overwritten for each image", "w", "overwritten", plain(),
       weight_of_some(last_image)},
      {"conv2d-w-last-row", "dw without the last row of dy", "w", "left out", strided(),
       weight_of_some(not_last_row)},
      {"conv2d-w-accumulated", "dw is added to fresh memory", "w", "accumulated", plain(),
       accumulated},
      {"conv2d-w-mean", "dw is averaged over the batch", "w", "factor", strided(),
       weight_then([](const Conv2dShape& s, double* dw) {
         for (std::int64_t i = 0; i < elements_w(s); ++i) dw[i] /= static_cast<double>(s.n);
       })},
      {"conv2d-w-group", "dw of the first group alone", "w", "group", grouped(),
       weight_then([](const Conv2dShape& s, double* dw) {
         std::fill(dw + elements_w(s) / 2, dw + elements_w(s), 0.0);
       })},
      {"conv2d-w-groups-exchanged", "dw of each group in the other's place", "w", "group",
       grouped(), weight_then([](const Conv2dShape& s, double* dw) {
         std::rotate(dw, dw + elements_w(s) / 2, dw + elements_w(s));
       })},
      {"conv2d-b-missing", "db = 0", "b", "zero", plain(), no_bias},
      {"conv2d-b-mean", "db is averaged over the places", "b", "factor", plain(), mean_bias},
      {"conv2d-b-last-image", "db is overwritten for each image", "b", "overwritten", plain(),
       last_bias},
  };
  for (Mutation& m : linear_mutations()) bank.push_back(std::move(m));
  return bank;
}

}  // namespace limulus

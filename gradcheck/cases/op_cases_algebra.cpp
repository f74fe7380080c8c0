// Rows for core/algebra.h. No vector's width divides sizes such as 7, 13, 17 and 33.
#include <fmt/core.h>

#include "core/algebra.h"
#include "gradcheck/cases/op_cases.h"

namespace limulus {
namespace {

using In = std::vector<Tensor>;

void binary_cases(std::vector<OpCase>& out) {
  struct Row {
    const char* op;
    Tensor (*f)(const Tensor&, const Tensor&);
    Fill b;
  };
  const Row ops[] = {{"add", add, Fill::normal},         {"sub", sub, Fill::normal},
                     {"mul", mul, Fill::normal},         {"div", div, Fill::nonzero},
                     {"maximum", maximum, Fill::normal}, {"minimum", minimum, Fill::normal}};
  // Equal shapes, a row, a column, channels of images, an outer product, a scalar, interleaved.
  const std::pair<Shape, Shape> shapes[] = {
      {{17}, {17}},     {{4, 7}, {7}},     {{4, 7}, {4, 1}},       {{2, 3, 5, 7}, {3, 1, 1}},
      {{1, 5}, {3, 1}}, {Shape(), {3, 3}}, {{2, 1, 3}, {1, 4, 1}}, {{33, 1}, {1, 13}}};
  for (const Row& op : ops)
    for (const auto& [a, b] : shapes)
      out.push_back({op.op,
                     fmt::format("{} a{} b{}", op.op, a.str(), b.str()),
                     {{"a", a, Fill::normal}, {"b", b, op.b}},
                     [f = op.f](const In& in) { return f(in[0], in[1]); }});
}

void unary_cases(std::vector<OpCase>& out) {
  for (const UnaryOp op : {UnaryOp::neg, UnaryOp::exp, UnaryOp::log, UnaryOp::sqrt, UnaryOp::square,
                           UnaryOp::abs, UnaryOp::relu, UnaryOp::sigmoid, UnaryOp::tanh}) {
    const bool positive = op == UnaryOp::log || op == UnaryOp::sqrt;
    for (const Shape& shape : {Shape{7}, Shape{3, 33}})
      out.push_back({name_of(op),
                     fmt::format("{} x{}", name_of(op), shape.str()),
                     {{"x", shape, positive ? Fill::positive : Fill::nonzero}},
                     [op](const In& in) { return unary(op, in[0]); }});
  }
  out.push_back({"affine", "affine x[5, 7]", {{"x", {5, 7}}}, [](const In& in) {
                   return affine(in[0], -2.5, 0.75);
                 }});
}

void reduction_cases(std::vector<OpCase>& out) {
  const Shape shapes[] = {{3, 5, 7}, {13, 1, 41}};
  for (const Shape& shape : shapes)
    for (const int axis : {0, 1, -1})
      for (const bool keep : {false, true}) {
        const auto row = [&](const char* op, Tensor (*f)(const Tensor&, int, bool), Fill fill) {
          out.push_back(
              {op,
               fmt::format("{} x{} axis {}{}", op, shape.str(), axis, keep ? " keep" : ""),
               {{"x", shape, fill}},
               [=](const In& in) { return f(in[0], axis, keep); }});
        };
        row("sum", sum, Fill::normal);
        if (keep) row("mean", mean, Fill::normal);
        if (!keep) row("amax", amax, Fill::distinct);
      }
  out.push_back({"sum", "sum x[3, 13]", {{"x", {3, 13}}}, [](const In& in) { return sum(in[0]); }});
  out.push_back(
      {"mean", "mean x[3, 13]", {{"x", {3, 13}}}, [](const In& in) { return mean(in[0]); }});
}

void matmul_cases(std::vector<OpCase>& out) {
  struct Size {
    std::int64_t m, k, n;
  };
  for (const auto& [m, k, n] : {Size{1, 1, 1}, Size{3, 7, 5}, Size{17, 33, 13}})
    for (const bool ta : {false, true})
      for (const bool tb : {false, true})
        out.push_back(
            {"matmul",
             fmt::format("matmul {}x{}x{}{}{}", m, k, n, ta ? " a^T" : "", tb ? " b^T" : ""),
             {{"a", ta ? Shape{k, m} : Shape{m, k}}, {"b", tb ? Shape{n, k} : Shape{k, n}}},
             [=](const In& in) { return matmul(in[0], in[1], ta, tb); }});
}

void shape_cases(std::vector<OpCase>& out) {
  out.push_back({"reshape", "reshape x[4, 6] to [3, 8]", {{"x", {4, 6}}}, [](const In& in) {
                   return reshape(in[0], {3, -1});
                 }});
  out.push_back({"flatten", "flatten x[2, 3, 5, 7]", {{"x", {2, 3, 5, 7}}}, [](const In& in) {
                   return flatten(in[0]);
                 }});
  for (const int axis : {0, 1, 2}) {
    std::vector<std::int64_t> a = {2, 3, 5}, b = a;
    b[static_cast<std::size_t>(axis)] = 7;
    out.push_back({"concat",
                   fmt::format("concat axis {}", axis),
                   {{"a", Shape(a)}, {"b", Shape(b)}, {"c", Shape(a)}},
                   [axis](const In& in) {
                     return concat({in[0], in[1], in[2]}, axis);
                   }});
    const std::int64_t size = Shape(b)[axis];
    for (const std::int64_t start : {std::int64_t{0}, size / 2, size - 1})
      out.push_back({"narrow",
                     fmt::format("narrow axis {} from {}", axis, start),
                     {{"x", Shape(b)}},
                     [=](const In& in) {
                       // Two overlapping parts: where they overlap, gradients add up.
                       return concat({narrow(in[0], axis, start, size - start),
                                      narrow(in[0], axis, 0, start + 1)},
                                     axis);
                     }});
  }
}

// One tensor on several paths, and paths that meet again.
void graph_cases(std::vector<OpCase>& out) {
  out.push_back(
      {"graph", "graph x used five times", {{"x", {3, 7}, Fill::nonzero}}, [](const In& in) {
         const Tensor& x = in[0];
         return x * x + x / (square(x) + 1.0) - x;
       }});
  out.push_back({"graph", "graph variance over rows", {{"x", {5, 13}}}, [](const In& in) {
                   const Tensor centred = in[0] - mean(in[0], 1, true);
                   return centred / sqrt(mean(square(centred), 1, true) + 1e-3);
                 }});
  out.push_back({"graph", "graph residual", {{"x", {3, 7}}, {"w", {7, 7}}}, [](const In& in) {
                   Tensor h = in[0];
                   for (int layer = 0; layer < 4; ++layer)
                     h = h + unary(UnaryOp::tanh, matmul(h, in[1])) * 0.5;
                   return h;
                 }});
}

}  // namespace

std::vector<OpCase> algebra_cases() {
  std::vector<OpCase> out;
  binary_cases(out);
  unary_cases(out);
  reduction_cases(out);
  matmul_cases(out);
  shape_cases(out);
  graph_cases(out);
  return out;
}

}  // namespace limulus

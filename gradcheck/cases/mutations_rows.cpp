// Mistakes in functions of one number, in softmax, and in the loss.
#include <cmath>
#include <vector>

#include "core/algebra.h"
#include "gradcheck/cases/mutations.h"
#include "layers/activation.h"
#include "layers/cross_entropy.h"
#include "layers/softmax.h"

namespace limulus {
namespace {

using In = std::vector<Tensor>;

Mutation function(const char* name, const char* what, UnaryOp op, const char* mistake,
                  std::function<double(double, double)> derivative) {
  const bool positive = op == UnaryOp::log || op == UnaryOp::sqrt;
  Mutation m{name,
             what,
             "x",
             mistake,
             {name_of(op),
              "a function with a mistake",
              {{"x", {4, 7}, positive ? Fill::positive : Fill::nonzero}},
              [op](const In& t) { return unary(op, t[0]); }}};
  m.primitives.derivative = std::move(derivative);
  return m;
}

Mutation rows(const char* name, const char* what, const char* mistake,
              std::function<void(std::int64_t, const double*, const double*, double*)> row) {
  Mutation m{name,
             what,
             "x",
             mistake,
             {"softmax", "softmax with a mistake", {{"x", {4, 7}}}, [](const In& t) {
                return softmax(t[0]);
              }}};
  m.primitives.softmax_row = std::move(row);
  return m;
}

Mutation loss(const char* name, const char* what, const char* mistake,
              std::function<double(double, bool)> derivative) {
  Mutation m{name,
             what,
             "x",
             mistake,
             {"cross_entropy",
              "cross_entropy with a mistake",
              {{"x", {4, 7}}, {"labels", {4}, Fill::labels, 7}},
              [](const In& t) { return cross_entropy(t[0], t[1]); }}};
  m.primitives.cross_entropy = std::move(derivative);
  return m;
}

double dot(std::int64_t n, const double* a, const double* b) {
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

std::vector<Mutation> row_mutations() {
  return {
      function("relu-no-mask", "dx = dy, whatever the sign of x", UnaryOp::relu, "mask",
               [](double, double) { return 1; }),
      function("relu-mask-inverted", "dx = dy where x < 0", UnaryOp::relu, "derivative",
               [](double, double y) { return y > 0 ? 0 : 1; }),
      function("relu-leaky", "dx = 0.01 dy where x < 0, as in a leaky ReLU", UnaryOp::relu, "mask",
               [](double, double y) { return y > 0 ? 1 : 0.01; }),
      function("sigmoid-sign", "y (y - 1) instead of y (1 - y)", UnaryOp::sigmoid, "sign",
               [](double, double y) { return y * (y - 1); }),
      function("sigmoid-half", "1 - y instead of y (1 - y)", UnaryOp::sigmoid, "derivative",
               [](double, double y) { return 1 - y; }),
      function("sigmoid-twice", "the derivative is taken at y, not at x", UnaryOp::sigmoid,
               "derivative",
               [](double, double y) {
                 const double s = 1 / (1 + std::exp(-y));
                 return s * (1 - s);
               }),
      function("tanh-square", "1 - y instead of 1 - y^2", UnaryOp::tanh, "derivative",
               [](double, double y) { return 1 - y; }),
      function("tanh-sign", "1 + y^2 instead of 1 - y^2", UnaryOp::tanh, "derivative",
               [](double, double y) { return 1 + y * y; }),
      function("sqrt-two", "1/y instead of 1/(2y)", UnaryOp::sqrt, "factor",
               [](double, double y) { return 1 / y; }),
      function("square-two", "x instead of 2x", UnaryOp::square, "factor",
               [](double x, double) { return x; }),
      function("log-square", "-1/x^2, the second derivative", UnaryOp::log, "derivative",
               [](double x, double) { return -1 / (x * x); }),
      function("abs-sign", "dx = dy on both sides of 0", UnaryOp::abs, "derivative",
               [](double, double) { return 1; }),
      rows("softmax-sum", "dx = y dy, without the sum", "missing term",
           [](std::int64_t n, const double* y, const double* dy, double* dx) {
             for (std::int64_t c = 0; c < n; ++c) dx[c] = y[c] * dy[c];
           }),
      rows("softmax-diagonal", "dx = y (1 - y) dy, the diagonal alone", "missing term",
           [](std::int64_t n, const double* y, const double* dy, double* dx) {
             for (std::int64_t c = 0; c < n; ++c) dx[c] = y[c] * (1 - y[c]) * dy[c];
           }),
      rows("softmax-sign", "dx = y (dy + sum of dy y)", "second term",
           [](std::int64_t n, const double* y, const double* dy, double* dx) {
             for (std::int64_t c = 0; c < n; ++c) dx[c] = y[c] * (dy[c] + dot(n, dy, y));
           }),
      rows("softmax-plain-sum", "dx = y (dy - sum of dy)", "second term",
           [](std::int64_t n, const double* y, const double* dy, double* dx) {
             const std::vector<double> ones(static_cast<std::size_t>(n), 1.0);
             for (std::int64_t c = 0; c < n; ++c) dx[c] = y[c] * (dy[c] - dot(n, dy, ones.data()));
           }),
      loss("cross-entropy-sign", "dx = label - p", "sign",
           [](double p, bool label) { return (label ? 1 : 0) - p; }),
      loss("cross-entropy-label", "dx = p, without the label", "",
           [](double p, bool) { return p; }),
      loss("cross-entropy-softmax", "dx = p (1 - p) at the label: softmax's diagonal", "",
           [](double p, bool label) { return label ? -p * (1 - p) : p; }),
  };
}

}  // namespace limulus

#pragma once
// The numeric side of a gradient check (gradcheck/gradcheck.h): slopes of L = sum of v y from
// values alone.
#include <cstdint>
#include <functional>
#include <vector>

#include "core/tensor.h"

namespace limulus {

// dL/dx_i, and how far it can be trusted.
struct NumericSlope {
  double value = 0;
  double truncation = 0;  // what extrapolation to a step of 0 cancelled
  double noise = 0;       // rounding of y, divided by the step
  double jump = 0;        // slope on the right minus slope on the left, extrapolated to a step of 0
  double step = 0;

  double uncertainty() const { return truncation + 8 * noise; }
  // Whether this is a derivative at all, for gradients of about the size `scale`. False for NaN,
  // too: log(x - h) has no value when h > x.
  bool smooth(double tolerance, double scale) const;
};

class FiniteDifferences {
 public:
  // y0 = f(inputs), v the cotangent. All arguments must outlive this object.
  FiniteDifferences(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                    const std::vector<Tensor>& inputs, const std::vector<double>& v,
                    const std::vector<double>& y0);

  // The slope in element i of x, whose value is xi, from f at x +- h and x +- h/2.
  NumericSlope at(const Tensor& x, std::int64_t i, double xi, double h) const;
  // The slope along x + t u, for all elements at once.
  NumericSlope along(const Tensor& x, const std::vector<double>& u, double h) const;
  // Whether results that change when all of x moves by 2^-10 of its size stay as they are, nine of
  // ten, when it moves by 2^-34: f then rounds to fewer digits than f64 has (f32 keeps 2^-24).
  bool coarse(const Tensor& x) const;
  // dy_k/dx_i for every result k: one column of the Jacobian.
  std::vector<double> column(const Tensor& x, std::int64_t i, double xi, double h) const;
  // The textbook's two: (L(x + h) - L(x)) / h and (L(x + h) - L(x - h)) / 2h.
  struct Simple {
    double forward = 0, central = 0;
  };
  Simple simple(const Tensor& x, std::int64_t i, double xi, double h) const;

 private:
  using Values = std::vector<double>;
  Values result() const;  // f of the inputs as they are now
  template <class Move>
  NumericSlope slope(Move move, double h) const;  // move(t) sets x to x + t u

  const std::function<Tensor(const std::vector<Tensor>&)>& f_;
  const std::vector<Tensor>& inputs_;
  const Values &v_, &y0_;
  double rms_ = 0;       // of y
  double rounding_ = 0;  // of L: a slope below this is lost in it
};

}  // namespace limulus

#include "core/finite_differences.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"

namespace limulus {
namespace {

using Values = std::vector<double>;
constexpr double eps = std::numeric_limits<double>::epsilon();

// One element of a tensor, changed in place; the old value returns at the end of the scope.
class Nudge {
 public:
  Nudge(const Tensor& t, std::int64_t at, double old)
      : tensor_(t), at_(at), old_(old), one_(Tensor::empty({1}, DType::f64, t.backend())) {}
  ~Nudge() { set(old_); }
  Nudge(const Nudge&) = delete;
  Nudge& operator=(const Nudge&) = delete;

  void set(double value) {
    Backend& b = tensor_.backend();
    b.upload(one_.mutable_data(), &value, sizeof value);
    b.copy_block(DType::f64, {1, 1, 0, 1, at_, 1}, one_.data(), tensor_.mutable_data());
  }

 private:
  Tensor tensor_;
  std::int64_t at_;
  double old_;
  Tensor one_;
};

}  // namespace

bool NumericSlope::smooth(double tolerance, double scale) const {
  const double allowed = tolerance * std::max(std::abs(value), scale) + 8 * noise;
  return truncation <= allowed && jump <= allowed + 24 * noise;
}

FiniteDifferences::FiniteDifferences(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                                     const std::vector<Tensor>& inputs, const Values& v,
                                     const Values& y0)
    : f_(f), inputs_(inputs), v_(v), y0_(y0) {
  for (std::size_t k = 0; k < v.size(); ++k) {
    rms_ += y0[k] * y0[k];
    rounding_ += eps * std::abs(v[k] * y0[k]);
  }
  rms_ = std::sqrt(rms_ / static_cast<double>(std::max<std::size_t>(y0.size(), 1)));
}

NumericSlope FiniteDifferences::at(const Tensor& x, std::int64_t i, double xi, double h) const {
  Nudge nudge(x, i, xi);
  const auto y = [&](double value) {
    nudge.set(value);
    Values result = f_(inputs_).to_vector<double>();
    if (result.size() != y0_.size())
      throw ShapeError(fmt::format("gradcheck: the function gave {} values at first and {} now",
                                   y0_.size(), result.size()));
    return result;
  };
  const Values right = y(xi + h), right2 = y(xi + h / 2), left2 = y(xi - h / 2), left = y(xi - h);

  double noise = 0;  // of the slope taken last
  // The difference is taken element by element, so that results which do not depend on x_i
  // contribute neither value nor noise.
  const auto slope = [&](const Values& up, const Values& down, double distance) {
    double sum = 0, size = 0;
    for (std::size_t k = 0; k < v_.size(); ++k) {
      if (up[k] == down[k]) continue;
      sum += v_[k] * (up[k] - down[k]);
      size += std::abs(v_[k]) * (std::abs(up[k]) + rms_);
    }
    noise = eps * size / distance + rounding_;
    return sum / distance;
  };
  // Right slope minus left slope is h L'' + O(h^3) where L is smooth, and goes to the jump of L' at
  // a kink: 2 bend(h/2) - bend(h) cancels the first and keeps the second.
  const double bend = slope(right, y0_, h) - slope(y0_, left, h);
  const double bend2 = slope(right2, y0_, h / 2) - slope(y0_, left2, h / 2);
  const double d = slope(right, left, 2 * h);
  const double d2 = slope(right2, left2, h);
  return {(4 * d2 - d) / 3, std::abs(d2 - d) / 3, noise, std::abs(2 * bend2 - bend)};
}

}  // namespace limulus

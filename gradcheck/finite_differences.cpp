#include "gradcheck/finite_differences.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"

namespace limulus {
namespace {

constexpr double eps = std::numeric_limits<double>::epsilon();

// One element of a tensor, changed in place; the old value returns at the end of the scope.
class Nudge {
 public:
  Nudge(const Tensor& t, std::int64_t at, double old)
      : tensor_(t), at_(at), old_(old), one_(Tensor::empty({1}, DType::f64, t.backend())) {}
  ~Nudge() { by(0); }
  Nudge(const Nudge&) = delete;
  Nudge& operator=(const Nudge&) = delete;

  void by(double change) {
    const double value = change == 0 ? old_ : old_ + change;  // -0 stays -0
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

// All elements at once: x + t u.
class Shift {
 public:
  Shift(const Tensor& t, const std::vector<double>& u)
      : tensor_(t), old_(t.to_vector<double>()), u_(u) {}
  ~Shift() { by(0); }
  Shift(const Shift&) = delete;
  Shift& operator=(const Shift&) = delete;

  void by(double t) {
    std::vector<double> moved = old_;
    for (std::size_t i = 0; i < moved.size(); ++i) moved[i] += t * u_[i];
    tensor_.backend().upload(tensor_.mutable_data(), moved.data(), moved.size() * sizeof(double));
  }

 private:
  Tensor tensor_;
  const std::vector<double> old_;
  const std::vector<double>& u_;
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

FiniteDifferences::Values FiniteDifferences::result() const {
  Values y = f_(inputs_).to_vector<double>();
  if (y.size() != y0_.size())
    throw ShapeError(fmt::format("gradcheck: the function gave {} values at first and {} now",
                                 y0_.size(), y.size()));
  return y;
}

template <class Move>
NumericSlope FiniteDifferences::slope(Move move, double h) const {
  const auto y = [&](double t) {
    move(t);
    return result();
  };
  const Values right = y(h), right2 = y(h / 2), left2 = y(-h / 2), left = y(-h);

  // The error of y itself: rounding inside of f may be larger than that of the result (log(1 + z)
  // with a small z). It shows in the fourth difference, in which everything smooth cancels. At a
  // kink it is large for another reason, so it is trusted up to 64 roundings only.
  double inside = 0;
  for (std::size_t k = 0; k < v_.size(); ++k) {
    const double fourth = right[k] - 4 * right2[k] + 6 * y0_[k] - 4 * left2[k] + left[k];
    const double most = 64 * eps * std::max(1.0, std::abs(y0_[k]));
    const double share = v_[k] * std::min(std::abs(fourth) / 4, most);
    if (share > 0 || share < 0) inside += share * share;  // not NaN
  }
  inside = std::sqrt(inside);

  double noise = 0;  // of the difference taken last
  // The difference is taken element by element. Results that did not change contribute no value;
  // they may have changed by less than their rounding, which is of either sign, so that the noise
  // of many grows with the root of their number only.
  const auto difference = [&](const Values& up, const Values& down, double distance) {
    double sum = 0, size = 0, hidden = 0;
    for (std::size_t k = 0; k < v_.size(); ++k) {
      if (up[k] == down[k]) {
        hidden += v_[k] * up[k] * v_[k] * up[k];
        continue;
      }
      sum += v_[k] * (up[k] - down[k]);
      size += std::abs(v_[k]) * (std::abs(up[k]) + rms_);
    }
    noise = (eps * (size + std::sqrt(hidden)) + inside) / distance + rounding_;
    return sum / distance;
  };
  // Right slope minus left slope is h L'' + O(h^3) where L is smooth, and goes to the jump of L' at
  // a kink: 2 bend(h/2) - bend(h) cancels the first and keeps the second.
  const double bend = difference(right, y0_, h) - difference(y0_, left, h);
  const double bend2 = difference(right2, y0_, h / 2) - difference(y0_, left2, h / 2);
  const double d = difference(right, left, 2 * h);
  const double d2 = difference(right2, left2, h);
  return {(4 * d2 - d) / 3, std::abs(d2 - d) / 3, noise, std::abs(2 * bend2 - bend), h};
}

NumericSlope FiniteDifferences::at(const Tensor& x, std::int64_t i, double xi, double h) const {
  Nudge nudge(x, i, xi);
  return slope([&](double t) { nudge.by(t); }, h);
}

NumericSlope FiniteDifferences::along(const Tensor& x, const Values& u, double h) const {
  Shift shift(x, u);
  return slope([&](double t) { shift.by(t); }, h);
}

bool FiniteDifferences::coarse(const Tensor& x) const {
  Values u = x.to_vector<double>();
  for (double& size : u) size = size == 0 ? 1 : size;
  Shift shift(x, u);
  shift.by(0x1p-10);
  const Values far = result();
  shift.by(0x1p-34);
  const Values near = result();
  std::size_t moved = 0, stayed = 0;
  for (std::size_t k = 0; k < y0_.size(); ++k) {
    if (far[k] == y0_[k]) continue;
    ++moved;
    stayed += near[k] == y0_[k];
  }
  return moved > 0 && 10 * stayed >= 9 * moved;
}

FiniteDifferences::Values FiniteDifferences::column(const Tensor& x, std::int64_t i, double xi,
                                                    double h) const {
  Nudge nudge(x, i, xi);
  const auto y = [&](double t) {
    nudge.by(t);
    return result();
  };
  const Values right = y(h), right2 = y(h / 2), left2 = y(-h / 2), left = y(-h);
  Values slopes(v_.size());
  for (std::size_t k = 0; k < slopes.size(); ++k)
    slopes[k] = (4 * (right2[k] - left2[k]) / h - (right[k] - left[k]) / (2 * h)) / 3;
  return slopes;
}

FiniteDifferences::Simple FiniteDifferences::simple(const Tensor& x, std::int64_t i, double xi,
                                                    double h) const {
  Nudge nudge(x, i, xi);
  nudge.by(h);
  const Values right = result();
  nudge.by(-h);
  const Values left = result();
  Simple s;
  for (std::size_t k = 0; k < v_.size(); ++k) {
    s.forward += v_[k] * (right[k] - y0_[k]) / h;
    s.central += v_[k] * (right[k] - left[k]) / (2 * h);
  }
  return s;
}

}  // namespace limulus

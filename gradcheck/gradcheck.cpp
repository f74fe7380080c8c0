#include "gradcheck/gradcheck.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <optional>

#include "core/error.h"
#include "core/rng.h"
#include "gradcheck/compare.h"
#include "gradcheck/diagnosis.h"
#include "gradcheck/finite_differences.h"

namespace limulus {
namespace {

using Values = std::vector<double>;

bool same_bits(const Values& a, const Values& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0);
}

// f as it is; or, where somebody wants to be asked, after asking.
GradcheckFunction with_question(const GradcheckFunction& f, const std::function<void()>& before) {
  if (!before) return f;
  return [&f, &before](const std::vector<Tensor>& in) {
    before();
    return f(in);
  };
}

std::int64_t count_nan(const Values& v) {
  return std::count_if(v.begin(), v.end(), [](double x) { return std::isnan(x); });
}

// Puts back what a check changes on its inputs besides their values, also when f throws.
class KeepGradients {
 public:
  explicit KeepGradients(std::vector<Tensor> inputs) : inputs_(std::move(inputs)) {
    for (Tensor& t : inputs_) {
      before_.emplace_back(t.requires_grad(), t.grad());
      t.set_requires_grad();
    }
  }
  ~KeepGradients() {
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      inputs_[i].impl()->requires_grad = before_[i].first;
      inputs_[i].impl()->grad = before_[i].second;
    }
  }
  KeepGradients(const KeepGradients&) = delete;
  KeepGradients& operator=(const KeepGradients&) = delete;

 private:
  std::vector<Tensor> inputs_;
  std::vector<std::pair<bool, Tensor>> before_;
};

// One check: f, its inputs, and what the two sides found.
class Check {
 public:
  Check(const GradcheckFunction& f, const std::vector<std::pair<std::string, Tensor>>& inputs,
        const GradcheckOptions& options)
      : f_(with_question(f, options.before_pass)),
        options_(options),
        rng_(options.seed, stream_of("gradcheck")) {
    if (!NoGrad::recording())
      throw GraphError(
          "gradcheck: nothing is recorded here, so that there is no gradient to check; call it "
          "outside of NoGrad scopes, and not from a function that is being checked");
    for (const auto& [name, t] : inputs) {
      in_.push_back(t);
      if (t.dtype() == DType::f32)
        throw DTypeError(fmt::format(
            "gradcheck: '{}' is f32, in which differences of nearby values keep 3 digits at best; "
            "convert it to f64 with to_dtype()",
            name));
      if (t.dtype() != DType::f64) continue;
      if (!t.backend().has_double())
        throw DeviceError(fmt::format(
            "gradcheck: {} has no double precision (fp64), without which differences are "
            "mostly rounding; check on the device \"cpu\"",
            t.backend().name()));
      checked_.push_back(t);
      GradcheckTensor& entry = report_.tensors.emplace_back();
      entry.name = name;
      entry.shape = t.shape();
      values_.push_back(t.to_vector<double>());
      const std::vector<double>& x = values_.back();
      if (const auto bad =
              std::find_if(x.begin(), x.end(), [](double v) { return !std::isfinite(v); });
          bad != x.end())
        throw ValueError(fmt::format(
            "gradcheck: '{}' is {} at {}: no slope can be measured there; give it finite numbers",
            name, *bad, Shape(index_of(bad - x.begin(), t.shape())).str()));
    }
    if (checked_.empty())
      throw DTypeError(
          "gradcheck: no input is f64: whole numbers, such as labels, have no gradient, so that "
          "there is nothing to check; give the numbers that the function is differentiated by as "
          "f64");
    factors_.resize(checked_.size());
  }

  GradcheckReport run() {
    const KeepGradients keep(checked_);
    const PoisonEmpty poison;
    const Pass first = pass(), second = pass();
    y_ = first.y;
    const auto has_nan = [](const Values& g) { return count_nan(g) > 0; };
    if (has_nan(first.y) || std::any_of(first.gradients.begin(), first.gradients.end(), has_nan)) {
      const PoisonEmpty zeros(0);
      zeroed_ = pass();
    }
    const NoGrad numeric_side;
    const FiniteDifferences differences(f_, in_, v_, y_);
    for (std::size_t i = 0; i < checked_.size(); ++i) judge(i, first, second, differences);
    find_common_factor();
    return std::move(report_);
  }

 private:
  // One forward and one backward pass: y, and the gradient of each input (empty: never reached).
  struct Pass {
    Values y;
    std::vector<Values> gradients;
  };
  Pass pass() {
    for (Tensor& t : checked_) t.zero_grad();
    const Tensor y = f_(in_);
    refuse_changed_inputs();
    if (y.dtype() != DType::f64)
      throw DTypeError(
          fmt::format("gradcheck: the result is {}; it must be computed in f64 to tell "
                      "a wrong gradient from rounding",
                      name_of(y.dtype())));
    y_shape_ = y.shape();
    // Cotangents away from zero, so that no result goes unnoticed.
    while (static_cast<std::int64_t>(v_.size()) < y.numel())
      v_.push_back(rng_.uniform(0.5, 1.5) * (rng_.below(2) == 0 ? 1 : -1));
    Pass p;
    if (y.requires_grad()) y.backward(Tensor::from(v_, y.shape(), y.backend()));
    for (const Tensor& t : checked_)
      p.gradients.push_back(t.grad().defined() ? t.grad().to_vector<double>() : Values());
    p.y = y.to_vector<double>();
    return p;
  }

  // Differences are taken around the values that the inputs have, and backward's formulas, too.
  void refuse_changed_inputs() {
    std::string changed;
    for (std::size_t i = 0; i < checked_.size(); ++i) {
      const Values now = checked_[i].to_vector<double>(), &before = values_[i];
      if (same_bits(now, before)) continue;
      const auto at = std::mismatch(now.begin(), now.end(), before.begin()).first - now.begin();
      if (changed.empty())
        changed =
            fmt::format("'{}' in place: at {} it was {:g} and is {:g} now", report_.tensors[i].name,
                        Shape(index_of(at, report_.tensors[i].shape)).str(),
                        before[static_cast<std::size_t>(at)], now[static_cast<std::size_t>(at)]);
      checked_[i].backend().upload(checked_[i].mutable_data(), before.data(),
                                   before.size() * sizeof(double));
    }
    if (!changed.empty())
      throw ValueError("gradcheck: forward changed its input " + changed +
                       ". Backward would see other values than forward did. Let forward write its "
                       "result to a new tensor; the inputs have their values back");
  }

  void judge(std::size_t i, const Pass& first, const Pass& second,
             const FiniteDifferences& differences) {
    GradcheckTensor& t = report_.tensors[i];
    const std::int64_t nans = count_nan(first.y);
    if (nans > 0) {
      t.verdict = GradcheckVerdict::wrong;
      const bool unwritten = count_nan(zeroed_.y) < nans;
      t.mistake = unwritten ? "unwritten" : "not a number";
      t.diagnosis = fmt::format(
          "{} of {} values of the result are NaN: {}", nans, first.y.size(),
          unwritten ? "never written by forward, or computed from memory that was never written"
                    : "forward computes them from these inputs, as 0/0, infinity minus infinity or "
                      "the logarithm of a negative number do");
      return;
    }
    const bool same_y = same_bits(first.y, second.y);
    if (!same_y || !same_bits(first.gradients[i], second.gradients[i])) {
      t.verdict = GradcheckVerdict::nondeterministic;
      t.diagnosis = same_y ? "two backward passes with the same inputs gave different gradients"
                           : "two forward passes with the same inputs gave different results";
      return;
    }
    const bool reached = !first.gradients[i].empty();
    const Values gradient =
        reached ? first.gradients[i] : Values(static_cast<std::size_t>(t.shape.numel()));
    const std::vector<GradcheckEntry> entries =
        compare_gradient(t, checked_[i], gradient, differences, options_, rng_);
    if (t.wrong == 0) return;
    if (reached && count_nan(gradient) == 0 && differences.coarse(checked_[i])) {
      t.verdict = GradcheckVerdict::vacuous;
      t.wrong = 0;
      for (GradcheckEntry& e : t.worst) e.wrong = false;
      t.mistake = "rounded";
      t.diagnosis =
          "forward keeps fewer digits than f64 has, as if it computed in f32: changing the input "
          "by 6e-11 of its size does not change the result, changing it by 1e-3 does. Differences "
          "of "
          "such results cannot tell a wrong gradient from rounding: compute all of it in f64";
      return;
    }
    const GradcheckDiagnosis found =
        !reached ? GradcheckDiagnosis{"unreached", "backward never reached this tensor"}
        : count_nan(gradient) > 0 ? explain_nan(i, gradient, entries)
                                  : diagnose(evidence(i, gradient, entries, differences));
    t.mistake = found.mistake;
    t.diagnosis = found.text;
    factors_[i] = found.factor;
  }

  // Backward writes the gradients of several inputs by several formulas. If all are off by one
  // factor, the cause is something that they share: the result that forward gave, or dy.
  void find_common_factor() {
    std::vector<std::size_t> wrong;
    for (std::size_t i = 0; i < checked_.size(); ++i)
      if (report_.tensors[i].verdict != GradcheckVerdict::vacuous) wrong.push_back(i);
    if (wrong.size() < 2 || !factors_[wrong[0]]) return;
    const double c = *factors_[wrong[0]];
    for (const std::size_t i : wrong)
      if (!factors_[i] || !close(*factors_[i], c)) return;
    const char* all = wrong.size() == 2 ? "both" : "all";
    for (const std::size_t i : wrong) {
      report_.tensors[i].mistake = "common factor";
      report_.tensors[i].diagnosis = fmt::format(
          "your gradient is {} x the numeric one everywhere, as in {} inputs", written(c), all);
    }
    report_.mistake = "common factor";
    report_.diagnosis = fmt::format(
        "{} inputs are off by one factor, {}: suspect forward, whose result is {} x what backward "
        "is "
        "the derivative of; or dy, if backward changes it before all gradients",
        all, written(c), written(1 / c));
  }

  // NaN is what fresh memory holds here. With zeros in its place a gradient that was added to it
  // becomes right, and one that was never written becomes zero.
  GradcheckDiagnosis explain_nan(std::size_t i, const Values& gradient,
                                 const std::vector<GradcheckEntry>& entries) {
    const Values& again = zeroed_.gradients[i];
    if (count_nan(again) == count_nan(gradient))
      return {
          "not a number",
          fmt::format("{} of {} gradients are NaN, also when fresh memory holds zeros: backward "
                      "computes them, as 0/0, 0 times infinity or a root's slope at 0 do",
                      count_nan(gradient), gradient.size())};
    bool added = true, some = false;
    for (const GradcheckEntry& e : entries) {
      if (!std::isnan(e.analytic)) continue;
      const double now =
          again[static_cast<std::size_t>(flat_of(e.index, report_.tensors[i].shape))];
      added = added &&
              std::abs(now - e.numeric) <= e.uncertainty + options_.tolerance * std::abs(e.numeric);
      some = some || std::abs(e.numeric) > 10 * e.uncertainty;
    }
    if (added && some)
      return {
          "accumulated",
          fmt::format("{} of {} gradients are NaN, and right when fresh memory holds zeros: they "
                      "were added to memory that nobody had set to zero",
                      count_nan(gradient), gradient.size())};
    return {"unwritten", fmt::format("{} of {} gradients are NaN: never written by backward, or "
                                     "computed from memory that was never written",
                                     count_nan(gradient), gradient.size())};
  }

  // Uses all elements, if that is affordable and all have a slope; else those compared so far.
  GradcheckEvidence evidence(std::size_t i, const Values& gradient,
                             const std::vector<GradcheckEntry>& entries,
                             const FiniteDifferences& differences) {
    const GradcheckTensor& t = report_.tensors[i];
    GradcheckEvidence e{t.shape, y_shape_, checked_[i].to_vector<double>(), y_, v_};
    constexpr std::size_t most_elements = 2048, most_slopes = std::size_t{1} << 22;
    const auto affordable = [&](std::size_t n) {
      return n <= most_elements && n * y_.size() <= most_slopes;
    };
    for (const GradcheckEntry& entry : entries) {
      e.at.push_back(flat_of(entry.index, e.x_shape));
      e.numeric.push_back(entry.numeric);
    }
    const bool with_slopes = affordable(entries.size());
    if (t.skipped == 0 && affordable(gradient.size()) && entries.size() < gradient.size()) {
      e.at.resize(gradient.size());
      std::iota(e.at.begin(), e.at.end(), std::int64_t{0});
      e.numeric.clear();
    }
    double squares = 0;
    for (const std::int64_t flat : e.at) {
      const double x = e.x[static_cast<std::size_t>(flat)];
      e.analytic.push_back(gradient[static_cast<std::size_t>(flat)]);
      if (with_slopes)
        e.jacobian.push_back(
            differences.column(checked_[i], flat, x, options_.step * std::max(1.0, std::abs(x))));
      if (e.numeric.size() < e.analytic.size())  // sum over k of v_k dy_k/dx_i
        e.numeric.push_back(
            std::inner_product(v_.begin(), v_.end(), e.jacobian.back().begin(), 0.0));
      squares += e.numeric.back() * e.numeric.back();
    }
    const double typical = std::sqrt(squares / static_cast<double>(e.size()));
    for (std::size_t k = 0; k < e.size(); ++k)
      e.wrong.push_back(!std::isfinite(e.analytic[k]) ||
                        std::abs(e.analytic[k] - e.numeric[k]) >
                            options_.tolerance * std::max(std::abs(e.analytic[k]), typical));
    return e;
  }

  const GradcheckFunction f_;
  const GradcheckOptions& options_;
  std::vector<Tensor> in_, checked_;
  std::vector<Values> values_;  // of the checked inputs, at the beginning
  Rng rng_;
  GradcheckReport report_;
  Values v_, y_;
  Shape y_shape_;
  std::vector<std::optional<double>> factors_;  // of each tensor, where it is off by one
  Pass zeroed_;  // where the first had NaN: a pass with zeros in fresh memory
};

}  // namespace

GradcheckReport gradcheck(const GradcheckFunction& f,
                          const std::vector<std::pair<std::string, Tensor>>& inputs,
                          const GradcheckOptions& options) {
  return Check(f, inputs, options).run();
}

}  // namespace limulus

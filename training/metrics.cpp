#include "training/metrics.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"

namespace limulus {

std::vector<std::int64_t> top_k(const float* scores, std::int64_t classes, int k) {
  const auto score = [&](std::int64_t c) {
    return std::isnan(scores[c]) ? -std::numeric_limits<float>::infinity() : scores[c];
  };
  std::vector<std::int64_t> order(static_cast<std::size_t>(classes));
  std::iota(order.begin(), order.end(), 0);
  const auto kept = order.begin() + std::min<std::int64_t>(k, classes);
  std::partial_sort(order.begin(), kept, order.end(), [&](std::int64_t a, std::int64_t b) {
    return score(a) != score(b) ? score(a) > score(b) : a < b;
  });
  order.erase(kept, order.end());
  return order;
}

Metrics::Metrics(std::int64_t classes) : classes_(classes) {}

void Metrics::add(const float* scores, const std::int64_t* labels, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t truth = labels[i];
    if (truth < 0 || truth >= classes_)
      throw ValueError(fmt::format("metrics: label {} is not one of {} classes", truth, classes_));
    const auto best = top_k(scores + i * classes_, classes_, 5);
    right1_ += best[0] == truth;
    right5_ += std::find(best.begin(), best.end(), truth) != best.end();
    ++confusion_[{truth, best[0]}];
    ++count_;
  }
}

// 0/0, nothing of nothing, is NaN: no number, and not 0 %.
double Metrics::top1() const { return static_cast<double>(right1_) / static_cast<double>(count_); }
double Metrics::top5() const { return static_cast<double>(right5_) / static_cast<double>(count_); }

std::int64_t Metrics::confusion(std::int64_t truth, std::int64_t guess) const {
  const auto found = confusion_.find({truth, guess});
  return found == confusion_.end() ? 0 : found->second;
}

}  // namespace limulus

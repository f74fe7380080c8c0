// 7.2 The update rule, and how its rate falls
#include "training.h"

namespace course {

void sgd_step(const Rule& rule, In g, Out w, Out v) {
  // BEGIN SOLUTION 7.2
  for (std::size_t i = 0; i < w.size(); ++i) {
    v[i] = rule.momentum * v[i] - rule.decay * rule.lr * w[i] - rule.lr * g[i];
    w[i] += v[i];
  }
  // END SOLUTION
}

double cosine_rate(double lr, std::int64_t step, std::int64_t steps) {
  // BEGIN SOLUTION 7.2
  const double done = static_cast<double>(step) / static_cast<double>(steps);
  return lr * 0.5 * (1 + std::cos(std::numbers::pi * done));
  // END SOLUTION
}

double plateau_rate(Plateau& plateau, double error) {
  // BEGIN SOLUTION 7.2
  if (error < plateau.best) {
    plateau.best = error;
    plateau.waited = 0;
  } else if (++plateau.waited == plateau.patience) {
    plateau.waited = 0;
    plateau.lr /= 10;
  }
  return plateau.lr;
  // END SOLUTION
}

}  // namespace course

// 7.3 Dropout, as the paper has it
#include "training.h"

namespace course {

void dropout_train(Random& random, double p, In x, Out y, Out mask) {
  // BEGIN SOLUTION 7.3
  for (std::size_t i = 0; i < x.size(); ++i) {
    mask[i] = random.uniform() < p ? 0 : 1;
    y[i] = mask[i] * x[i];
  }
  // END SOLUTION
}

void dropout_backward(In dy, In mask, Out dx) {
  // BEGIN SOLUTION 7.3
  for (std::size_t i = 0; i < dy.size(); ++i) dx[i] = mask[i] * dy[i];
  // END SOLUTION
}

void dropout_test(double p, In x, Out y) {
  // BEGIN SOLUTION 7.3
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = (1 - p) * x[i];
  // END SOLUTION
}

}  // namespace course

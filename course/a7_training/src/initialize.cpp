// 7.1 The weights before the first step
#include "training.h"

namespace course {

void paper_weights(Random& random, Out w) {
  // BEGIN SOLUTION 7.1
  for (double& value : w) value = 0.01 * random.normal();
  // END SOLUTION
}

double paper_bias(const std::string& layer) {
  // BEGIN SOLUTION 7.1
  for (const char* one : {"conv2", "conv4", "conv5", "fc6", "fc7"})
    if (layer == one) return 1;
  return 0;
  // END SOLUTION
}

std::int64_t fan_in(Axes shape) {
  // BEGIN SOLUTION 7.1
  std::int64_t inputs = 1;
  for (const std::int64_t size : shape.subspan(1)) inputs *= size;
  return inputs;
  // END SOLUTION
}

std::int64_t fan_out(Axes shape) {
  // BEGIN SOLUTION 7.1
  std::int64_t outputs = shape[0];
  for (const std::int64_t size : shape.subspan(2)) outputs *= size;
  return outputs;
  // END SOLUTION
}

void he_weights(Random& random, Axes shape, Out w) {
  // BEGIN SOLUTION 7.1
  const double deviation = std::sqrt(2.0 / static_cast<double>(fan_in(shape)));
  for (double& value : w) value = deviation * random.normal();
  // END SOLUTION
}

void xavier_weights(Random& random, Axes shape, Out w) {
  // BEGIN SOLUTION 7.1
  // Uniform in +-limit has the variance limit^2 / 3.
  const double limit = std::sqrt(6.0 / static_cast<double>(fan_in(shape) + fan_out(shape)));
  for (double& value : w) value = limit * (2 * random.uniform() - 1);
  // END SOLUTION
}

}  // namespace course

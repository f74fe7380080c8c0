// The include paths of an installed copy, so that a project can change from one to the other.
#include <limulus/backends/registry.h>
#include <limulus/core/algebra.h>
#include <limulus/layers/conv2d.h>

#include <cstdio>

using namespace limulus;

int main() {
  Tensor x = Tensor::from(std::vector<double>{1, 2, 3}, {3}, device("cpu"));
  x.set_requires_grad();
  sum(x * x).backward();
  const auto gradient = x.grad().to_vector<double>();
  std::printf("d/dx sum(x*x) = 2x: %g %g %g\n", gradient[0], gradient[1], gradient[2]);
  return gradient == std::vector<double>{2, 4, 6} ? 0 : 1;
}

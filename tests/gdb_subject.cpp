// What tests/gdb_test.sh looks at: tensors in host memory and elsewhere.
#include "backends/registry.h"
#include "core/tensor.h"

using namespace limulus;

namespace {

// gdb stops here and goes up. (Not inlined: it has to be there.)
[[gnu::noinline]] void look(const void* at) { asm volatile("" : : "r"(at) : "memory"); }

}  // namespace

int main() {
  Backend& reference = device("reference");
  const Tensor x = Tensor::from<float>({1, 2.5, -3, 0.1f, 5, 6}, {2, 3}, reference);
  const Tensor d = Tensor::from<double>({0.1, 1e300}, {2}, reference);
  const Tensor labels = Tensor::from<std::int64_t>({7, -1}, {2}, reference);
  const Tensor half = x.to_dtype(DType::bf16);
  const Tensor large = Tensor::full({100, 100}, 2, DType::f32, reference);
  const Tensor scalar = Tensor::from<float>({1.5}, {}, reference);
  const Tensor empty = Tensor::zeros({0, 3}, DType::f32, reference);
  const Tensor undefined;
  const Tensor fast = Tensor::full({2}, 3, DType::f32, device("cpu"));
  const Tensor queued = Tensor::full({2}, 3, DType::f32, device("cpu:0/2"));
  const Shape shape = {4, 5};
  look(&x);
  look(&shape);
}

// 2.6 Operations on tensors, and backward through them
// BEGIN SOLUTION 2.6 removed
#include <unordered_map>

// END SOLUTION
#include "engine.h"

namespace course {
// BEGIN SOLUTION 2.6 removed
namespace {

// f of each pair of values, where shapes are the same.
template <class F>
Tensor zip(const Tensor& a, const Tensor& b, F f) {
  Tensor y = a;
  for (std::size_t i = 0; i < y.values.size(); ++i) y.values[i] = f(a.values[i], b.values[i]);
  return y;
}
double product(double a, double b) { return a * b; }
double total(double a, double b) { return a + b; }

Tensor transposed(const Tensor& x) {
  const auto m = static_cast<std::size_t>(x.shape[0]), n = static_cast<std::size_t>(x.shape[1]);
  Tensor y{{x.shape[1], x.shape[0]}, std::vector<double>(x.values.size())};
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < n; ++j) y.values[j * m + i] = x.values[i * n + j];
  return y;
}

Tensor matrix_product(const Tensor& a, const Tensor& b) {
  const auto m = static_cast<std::size_t>(a.shape[0]), k = static_cast<std::size_t>(a.shape[1]);
  const auto n = static_cast<std::size_t>(b.shape[1]);
  Tensor y{{a.shape[0], b.shape[1]}, std::vector<double>(m * n)};
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t p = 0; p < k; ++p)
      for (std::size_t j = 0; j < n; ++j)
        y.values[i * n + j] += a.values[i * k + p] * b.values[p * n + j];
  return y;
}

}  // namespace
// END SOLUTION

TensorNode* add(TensorGraph& g, TensorNode* a, TensorNode* b) {
  // BEGIN SOLUTION 2.6
  const Shape shape = broadcast_shapes(a->value.shape, b->value.shape);
  return g.make(zip(broadcast_to(a->value, shape), broadcast_to(b->value, shape), total), {a, b},
                [sa = a->value.shape, sb = b->value.shape](const Tensor& dy) {
                  return std::vector<Tensor>{sum_to(dy, sa), sum_to(dy, sb)};
                });
  // END SOLUTION
}

TensorNode* mul(TensorGraph& g, TensorNode* a, TensorNode* b) {
  // BEGIN SOLUTION 2.6
  const Shape shape = broadcast_shapes(a->value.shape, b->value.shape);
  return g.make(zip(broadcast_to(a->value, shape), broadcast_to(b->value, shape), product), {a, b},
                [a = Saved(a), b = Saved(b)](const Tensor& dy) {
                  const Tensor &va = a.get(), &vb = b.get();
                  return std::vector<Tensor>{
                      sum_to(zip(dy, broadcast_to(vb, dy.shape), product), va.shape),
                      sum_to(zip(dy, broadcast_to(va, dy.shape), product), vb.shape)};
                });
  // END SOLUTION
}

TensorNode* matmul(TensorGraph& g, TensorNode* a, TensorNode* b) {
  // BEGIN SOLUTION 2.6
  return g.make(matrix_product(a->value, b->value), {a, b},
                [a = Saved(a), b = Saved(b)](const Tensor& dy) {
                  return std::vector<Tensor>{matrix_product(dy, transposed(b.get())),
                                             matrix_product(transposed(a.get()), dy)};
                });
  // END SOLUTION
}

TensorNode* relu(TensorGraph& g, TensorNode* a) {
  // BEGIN SOLUTION 2.6
  Tensor y = a->value;
  for (double& v : y.values) v = v > 0 ? v : 0;
  return g.make(y, {a}, [a = Saved(a)](const Tensor& dy) {
    return std::vector<Tensor>{zip(dy, a.get(), [](double d, double x) { return x > 0 ? d : 0; })};
  });
  // END SOLUTION
}

TensorNode* sum(TensorGraph& g, TensorNode* a) {
  // BEGIN SOLUTION 2.6
  double s = 0;
  for (const double v : a->value.values) s += v;
  return g.make({{}, {s}}, {a}, [shape = a->value.shape](const Tensor& dy) {
    return std::vector<Tensor>{broadcast_to(dy, shape)};
  });
  // END SOLUTION
}

void backward(TensorNode* root, const Tensor& dy) {
  // BEGIN SOLUTION 2.6
  const std::vector<Vertex*> order = topological_order(root);
  std::unordered_map<Vertex*, Tensor> grads = {{root, dy}};
  for (std::size_t i = order.size(); i-- > 0;) {
    auto* node = static_cast<TensorNode*>(order[i]);
    const Tensor d = grads[node];
    if (node->inputs.empty()) {
      node->grad = node->grad.values.empty() ? d : zip(node->grad, d, total);
      continue;
    }
    node->grad = d;
    const std::vector<Tensor> parts = node->pullback(d);
    for (std::size_t k = 0; k < parts.size(); ++k) {
      Tensor& sum = grads[node->inputs[k]];
      sum = sum.values.empty() ? parts[k] : zip(sum, parts[k], total);
    }
  }
  // END SOLUTION
}

}  // namespace course

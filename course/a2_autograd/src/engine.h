#pragma once
// Assignment 2: reverse-mode differentiation. This file is given; you write the .cpp files.
#include <deque>
#include <functional>
#include <vector>

#include "course.h"

namespace course {

// A vertex of the graph: what was computed, and from what. Inputs are made before it.
struct Vertex {
  std::vector<Vertex*> inputs;  // one of them may be there twice: x * x
};

// ---- scalars ---------------------------------------------------------------------------------

// y = f(a, b): its value, and beside each input the local derivative, dy/da and dy/db, at the
// inputs' values. A leaf (a number that was given) has no inputs.
struct Node : Vertex {
  double value = 0;
  double grad = 0;               // dL/d(this), filled in by backward
  std::vector<double> partials;  // as many as there are inputs
};

// Owns the nodes; they stay where they are until the graph is gone.
class Graph {
 public:
  Node* make(double value, std::vector<Vertex*> inputs = {}, std::vector<double> partials = {}) {
    Node& node = nodes_.emplace_back();
    node.value = value;
    node.inputs = std::move(inputs);
    node.partials = std::move(partials);
    return &node;
  }

 private:
  std::deque<Node> nodes_;
};

// 2.1, scalar_ops.cpp: a node with the value, and the local derivatives.
Node* add(Graph& g, Node* a, Node* b);
Node* sub(Graph& g, Node* a, Node* b);
Node* mul(Graph& g, Node* a, Node* b);
Node* div(Graph& g, Node* a, Node* b);
Node* exp(Graph& g, Node* a);
Node* log(Graph& g, Node* a);
Node* tanh(Graph& g, Node* a);
Node* relu(Graph& g, Node* a);  // max(0, a); its derivative at 0 is 0

// 2.2, order.cpp: all vertices from which `root` was computed, and root itself, each once, every
// one behind all of its inputs.
std::vector<Vertex*> topological_order(Vertex* root);

// 2.3, backward.cpp: adds dL/dleaf, L = root, to the grad of each leaf that root depends on. The
// other nodes' grads are those of this call alone. All vertices below root are Nodes.
void backward(Node* root);

// ---- tensors ---------------------------------------------------------------------------------

using Shape = std::vector<std::int64_t>;  // [2, 3]; a scalar has the empty shape

struct Tensor {
  Shape shape;
  std::vector<double> values;  // row-major: the last index runs fastest
};

// 2.4, broadcast.cpp
// The shape of `a op b`: aligned at the right; where a size is missing or 1, the other counts.
// std::invalid_argument when two sizes differ and neither is 1.
Shape broadcast_shapes(const Shape& a, const Shape& b);
// x, repeated along the axes where `shape` is larger. Broadcasting x.shape to `shape` is possible.
Tensor broadcast_to(const Tensor& x, const Shape& shape);
// The transpose of that: dy, of the large shape, summed over all that came from the same value.
Tensor sum_to(const Tensor& dy, const Shape& shape);

struct TensorNode : Vertex {
  Tensor value;
  Tensor grad;               // of a leaf: empty (no values) until backward reaches it
  std::int64_t version = 0;  // how often `value` was changed in place
  // From dL/d(this) to dL/d(input), one for each input, in their order. Empty for a leaf.
  std::function<std::vector<Tensor>(const Tensor& dy)> pullback;
};

class TensorGraph {
 public:
  TensorNode* make(Tensor value, std::vector<Vertex*> inputs = {},
                   std::function<std::vector<Tensor>(const Tensor&)> pullback = {}) {
    TensorNode& node = nodes_.emplace_back();
    node.value = std::move(value);
    node.inputs = std::move(inputs);
    node.pullback = std::move(pullback);
    return &node;
  }

 private:
  std::deque<TensorNode> nodes_;
};

struct StaleValue : std::logic_error {
  StaleValue() : std::logic_error("a value that backward needs was changed in place") {}
};

// 2.5, saved.cpp: a value that a pullback will need, as it was when it was saved.
class Saved {
 public:
  explicit Saved(const TensorNode* node);
  // The value; StaleValue when it was changed since.
  const Tensor& get() const;

 private:
  const TensorNode* node_;
  std::int64_t version_;
};
// x.value += amount, which has the same shape.
void add_in_place(TensorNode* x, const Tensor& amount);

// 2.6, tensor_ops.cpp
TensorNode* add(TensorGraph& g, TensorNode* a, TensorNode* b);     // broadcasts
TensorNode* mul(TensorGraph& g, TensorNode* a, TensorNode* b);     // elementwise; broadcasts
TensorNode* matmul(TensorGraph& g, TensorNode* a, TensorNode* b);  // [m, k] x [k, n] -> [m, n]
TensorNode* relu(TensorGraph& g, TensorNode* a);
TensorNode* sum(TensorGraph& g, TensorNode* a);  // of all values: shape []
// As `backward` above, from dL/droot = dy, which has root's shape.
void backward(TensorNode* root, const Tensor& dy);

}  // namespace course

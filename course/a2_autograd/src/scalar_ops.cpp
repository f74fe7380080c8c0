// 2.1 Operations on numbers, and their local derivatives
#include <cmath>

#include "engine.h"

namespace course {

Node* add(Graph& g, Node* a, Node* b) {
  // BEGIN SOLUTION 2.1
  return g.make(a->value + b->value, {a, b}, {1, 1});
  // END SOLUTION
}

Node* sub(Graph& g, Node* a, Node* b) {
  // BEGIN SOLUTION 2.1
  return g.make(a->value - b->value, {a, b}, {1, -1});
  // END SOLUTION
}

Node* mul(Graph& g, Node* a, Node* b) {
  // BEGIN SOLUTION 2.1
  return g.make(a->value * b->value, {a, b}, {b->value, a->value});
  // END SOLUTION
}

Node* div(Graph& g, Node* a, Node* b) {
  // BEGIN SOLUTION 2.1
  const double y = a->value / b->value;
  return g.make(y, {a, b}, {1 / b->value, -y / b->value});
  // END SOLUTION
}

Node* exp(Graph& g, Node* a) {
  // BEGIN SOLUTION 2.1
  const double y = std::exp(a->value);
  return g.make(y, {a}, {y});
  // END SOLUTION
}

Node* log(Graph& g, Node* a) {
  // BEGIN SOLUTION 2.1
  return g.make(std::log(a->value), {a}, {1 / a->value});
  // END SOLUTION
}

Node* tanh(Graph& g, Node* a) {
  // BEGIN SOLUTION 2.1
  const double y = std::tanh(a->value);
  return g.make(y, {a}, {1 - y * y});
  // END SOLUTION
}

Node* relu(Graph& g, Node* a) {
  // BEGIN SOLUTION 2.1
  return g.make(a->value > 0 ? a->value : 0, {a}, {a->value > 0 ? 1.0 : 0.0});
  // END SOLUTION
}

}  // namespace course

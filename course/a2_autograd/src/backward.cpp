// 2.3 Backward on numbers
#include "engine.h"

namespace course {

void backward(Node* root) {
  // BEGIN SOLUTION 2.3
  const std::vector<Vertex*> order = topological_order(root);
  for (Vertex* vertex : order)
    if (!vertex->inputs.empty()) static_cast<Node*>(vertex)->grad = 0;
  root->grad = root->inputs.empty() ? root->grad + 1 : 1;
  for (std::size_t i = order.size(); i-- > 0;) {
    const Node* node = static_cast<Node*>(order[i]);
    for (std::size_t k = 0; k < node->inputs.size(); ++k)
      static_cast<Node*>(node->inputs[k])->grad += node->grad * node->partials[k];
  }
  // END SOLUTION
}

}  // namespace course

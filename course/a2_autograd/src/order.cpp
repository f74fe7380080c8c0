// 2.2 Topological order
// BEGIN SOLUTION 2.2 removed
#include <unordered_set>
#include <utility>

// END SOLUTION
#include "engine.h"

namespace course {

std::vector<Vertex*> topological_order(Vertex* root) {
  // BEGIN SOLUTION 2.2
  std::vector<Vertex*> order;
  std::unordered_set<Vertex*> seen = {root};
  // The path from root to where the search is: a vertex, and how many of its inputs are done.
  std::vector<std::pair<Vertex*, std::size_t>> path = {{root, 0}};
  while (!path.empty()) {
    auto& [vertex, done] = path.back();
    if (done == vertex->inputs.size()) {
      order.push_back(vertex);
      path.pop_back();
      continue;
    }
    Vertex* input = vertex->inputs[done++];
    if (seen.insert(input).second) path.emplace_back(input, 0);
  }
  return order;
  // END SOLUTION
}

}  // namespace course

// What the judge can call of assignment 2.
#include "runner.h"

#include "engine.h"
#include "programs.h"

namespace course {
namespace {

using namespace programs;

Node* apply(Graph& g, std::int64_t op, Node* a, Node* b) {
  switch (op) {
    case s_add:
      return add(g, a, b);
    case s_sub:
      return sub(g, a, b);
    case s_mul:
      return mul(g, a, b);
    case s_div:
      return div(g, a, b);
    case s_exp:
      return exp(g, a);
    case s_log:
      return log(g, a);
    case s_tanh:
      return tanh(g, a);
    default:
      return relu(g, a);
  }
}

void call_scalar_op(const Record& in, Record& out) {
  Graph g;
  const Doubles& x = in.doubles("x");
  Node *a = g.make(x[0]), *b = g.make(x[1]);
  const Node* y = apply(g, in.integer("op"), a, b);
  Integers inputs;
  for (const Vertex* v : y->inputs) inputs.push_back(v == a ? 0 : v == b ? 1 : -1);
  out.put("value", {}, {y->value});
  out.put("inputs", inputs);
  out.put("partials", {static_cast<std::int64_t>(y->partials.size())}, y->partials);
}

void call_order(const Record& in, Record& out) {
  // For each vertex the number of its inputs, and the inputs.
  const Integers& lists = in.integers("graph");
  std::vector<Vertex> vertices(static_cast<std::size_t>(in.integer("vertices")));
  std::size_t at = 0;
  for (Vertex& v : vertices)
    for (std::int64_t n = lists[at++]; n > 0; --n)
      v.inputs.push_back(&vertices[static_cast<std::size_t>(lists[at++])]);
  Integers order;
  for (const Vertex* v : topological_order(&vertices[static_cast<std::size_t>(in.integer("root"))]))
    order.push_back(
        v >= vertices.data() && v < vertices.data() + vertices.size() ? v - vertices.data() : -1);
  out.put("order", order);
}

void call_backward(const Record& in, Record& out) {
  Graph g;
  const Doubles& leaves = in.doubles("leaves");
  std::vector<Node*> nodes;
  for (const double v : leaves) nodes.push_back(g.make(v));
  const Integers& p = in.integers("program");
  for (std::size_t at = 0; at < p.size(); at += 3)
    nodes.push_back(apply(g, p[at], nodes[static_cast<std::size_t>(p[at + 1])],
                          nodes[static_cast<std::size_t>(p[at + 2])]));
  for (const std::int64_t root : in.integers("roots"))
    backward(nodes[static_cast<std::size_t>(root)]);
  Doubles grads;
  for (std::size_t i = 0; i < leaves.size(); ++i) grads.push_back(nodes[i]->grad);
  out.put("value", {}, {nodes.back()->value});
  out.put("grads", {static_cast<std::int64_t>(grads.size())}, grads);
}

void call_broadcast_shapes(const Record& in, Record& out) {
  try {
    out.put("shape", broadcast_shapes(in.integers("a"), in.integers("b")));
  } catch (const std::invalid_argument&) {
    out.put("invalid", std::int64_t{1});
  }
}

void put(Record& out, const std::string& name, const Tensor& t) {
  out.put(name, t.shape, t.values);
  out.put(name + " shape", t.shape);
}

void call_broadcast_to(const Record& in, Record& out) {
  put(out, "y", broadcast_to({in.shape("x"), in.doubles("x")}, in.integers("shape")));
}
void call_sum_to(const Record& in, Record& out) {
  put(out, "dx", sum_to({in.shape("dy"), in.doubles("dy")}, in.integers("shape")));
}

void call_saved(const Record& in, Record& out) {
  TensorGraph g;
  std::vector<TensorNode*> nodes;
  for (const double v : in.doubles("values")) nodes.push_back(g.make({{1}, {v}}));
  std::vector<Saved> saved;
  Integers stale;
  Doubles read;
  const Integers& p = in.integers("program");
  for (std::size_t at = 0; at < p.size(); at += 2) {
    const auto i = static_cast<std::size_t>(p[at + 1]);
    if (p[at] == v_save) {
      saved.emplace_back(nodes[i]);
    } else if (p[at] == v_change) {
      add_in_place(nodes[i], {{1}, {1.0}});
    } else {
      double value = 0;
      bool changed = false;
      try {
        value = saved[i].get().values.at(0);
      } catch (const StaleValue&) {
        changed = true;
      }
      stale.push_back(changed);
      read.push_back(value);
    }
  }
  out.put("stale", stale);
  out.put("read", {static_cast<std::int64_t>(read.size())}, read);
}

TensorNode* apply(TensorGraph& g, std::int64_t op, TensorNode* a, TensorNode* b) {
  switch (op) {
    case t_add:
      return add(g, a, b);
    case t_mul:
      return mul(g, a, b);
    case t_matmul:
      return matmul(g, a, b);
    case t_relu:
      return relu(g, a);
    default:
      return sum(g, a);
  }
}

void call_tensors(const Record& in, Record& out) {
  TensorGraph g;
  std::vector<TensorNode*> nodes;
  const auto leaves = static_cast<std::size_t>(in.integer("leaves"));
  for (std::size_t i = 0; i < leaves; ++i) {
    const std::string name = "leaf " + std::to_string(i);
    nodes.push_back(g.make({in.shape(name), in.doubles(name)}));
  }
  const Integers& p = in.integers("program");
  for (std::size_t at = 0; at < p.size(); at += 3)
    nodes.push_back(apply(g, p[at], nodes[static_cast<std::size_t>(p[at + 1])],
                          nodes[static_cast<std::size_t>(p[at + 2])]));
  put(out, "y", nodes.back()->value);
  if (in.has("change")) {
    TensorNode* x = nodes[static_cast<std::size_t>(in.integer("change"))];
    add_in_place(x, {x->value.shape, Doubles(x->value.values.size(), 1.0)});
  }
  try {
    for (std::int64_t i = 0; i < in.integer("times"); ++i)
      backward(nodes.back(), {in.shape("dy"), in.doubles("dy")});
  } catch (const StaleValue&) {
    out.put("stale", std::int64_t{1});
    return;
  }
  for (std::size_t i = 0; i < leaves; ++i) put(out, "grad " + std::to_string(i), nodes[i]->grad);
}

}  // namespace

const std::map<std::string, Call>& calls() {
  static const std::map<std::string, Call> table = {{"scalar_op", call_scalar_op},
                                                    {"topological_order", call_order},
                                                    {"backward", call_backward},
                                                    {"broadcast_shapes", call_broadcast_shapes},
                                                    {"broadcast_to", call_broadcast_to},
                                                    {"sum_to", call_sum_to},
                                                    {"saved", call_saved},
                                                    {"tensors", call_tensors}};
  return table;
}

}  // namespace course

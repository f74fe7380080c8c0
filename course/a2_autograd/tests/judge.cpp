// Assignment 2 on numbers: operations, order, backward (2.1 to 2.3). What is right comes from the
// library's autograd.
#include "judge.h"

#include <algorithm>
#include <cmath>

#include "backends/registry.h"
#include "core/algebra.h"
#include "judge_tensors.h"
#include "programs.h"

namespace course {
namespace {

using namespace programs;
using limulus::Tensor;

const char* const names[] = {"add", "sub", "mul", "div", "exp", "log", "tanh", "relu"};

Tensor apply(std::int64_t op, const Tensor& a, const Tensor& b) {
  switch (op) {
    case s_add:
      return a + b;
    case s_sub:
      return a - b;
    case s_mul:
      return a * b;
    case s_div:
      return a / b;
    case s_exp:
      return limulus::exp(a);
    case s_log:
      return limulus::log(a);
    case s_tanh:
      return limulus::unary(limulus::UnaryOp::tanh, a);
    default:
      return limulus::unary(limulus::UnaryOp::relu, a);
  }
}

Tensor scalar(double value) {
  Tensor t = Tensor::from(Doubles{value}, Shape{}, limulus::device("reference"));
  return t.set_requires_grad();
}
double value_of(const Tensor& t) { return t.to_vector<double>().at(0); }
double grad_of(const Tensor& t) { return t.grad().defined() ? value_of(t.grad()) : 0; }

// ---- 2.1 -------------------------------------------------------------------------------------

Record op_call(std::int64_t op, double a, double b) {
  Record r;
  r.put("call", std::string("scalar_op"));
  r.put("what", std::string(names[op]) + "(" + written(a) +
                    (has_two_inputs(static_cast<Scalar>(op)) ? ", " + written(b) : "") + ")");
  r.put("op", op);
  r.put("x", {2}, {a, b});
  return r;
}
std::vector<Record> ops(Rng& rng, std::int64_t first, std::int64_t last) {
  std::vector<Record> calls;
  for (std::int64_t op = first; op <= last; ++op)
    for (int i = 0; i < 3; ++i) {
      const double a = rng.uniform(0.3, 2) * (op == s_log || rng.below(2) ? 1 : -1);
      calls.push_back(op_call(op, a, rng.uniform(0.3, 2) * (rng.below(2) ? 1 : -1)));
    }
  return calls;
}
std::vector<Record> make_arithmetic(Rng& rng) { return ops(rng, s_add, s_div); }
std::vector<Record> make_functions(Rng& rng) { return ops(rng, s_exp, s_tanh); }
std::vector<Record> make_relu(Rng& rng) {
  std::vector<Record> calls = ops(rng, s_relu, s_relu);
  calls.push_back(op_call(s_relu, 0, 1));
  calls.push_back(op_call(s_relu, -rng.uniform(0.1, 2), 1));
  return calls;
}
void check_op(const Record& in, const Record& out) {
  const std::int64_t op = in.integer("op");
  const Tensor a = scalar(in.doubles("x")[0]), b = scalar(in.doubles("x")[1]);
  const Tensor y = apply(op, a, b);
  y.backward();
  compare("value", Shape{}, {value_of(y)}, out.doubles("value"));
  Integers inputs = {0};
  Doubles partials = {grad_of(a)};
  if (has_two_inputs(static_cast<Scalar>(op))) {
    inputs.push_back(1);
    partials.push_back(grad_of(b));
  }
  compare("inputs (0: a, 1: b)", inputs, out.integers("inputs"));
  compare("partials", Shape{static_cast<std::int64_t>(partials.size())}, partials,
          out.doubles("partials"));
}

// ---- 2.2 -------------------------------------------------------------------------------------

Record order_call(const std::string& what, const std::vector<Integers>& inputs, std::int64_t root) {
  Record r;
  Integers lists;
  for (const Integers& list : inputs) {
    lists.push_back(static_cast<std::int64_t>(list.size()));
    lists.insert(lists.end(), list.begin(), list.end());
  }
  r.put("call", std::string("topological_order"));
  r.put("what", "topological_order of " + what);
  r.put("vertices", static_cast<std::int64_t>(inputs.size()));
  r.put("graph", lists);
  r.put("root", root);
  return r;
}
std::vector<Record> make_diamond(Rng&) {
  return {order_call("one vertex", {{}}, 0),
          order_call("x -> a, b -> y", {{}, {0}, {0}, {1, 2}}, 3),
          order_call("y = x x", {{}, {0, 0}}, 1),
          // The long way must be walked before x may stand in front of the short one.
          order_call("x -> a -> b -> y and x -> y", {{}, {0}, {1}, {2, 0}}, 3)};
}
std::vector<Record> make_random_order(Rng& rng) {
  std::vector<Record> calls;
  while (calls.size() < 6) {
    std::vector<Integers> inputs(static_cast<std::size_t>(between(rng, 5, 60)));
    for (std::size_t v = 1; v < inputs.size(); ++v)
      for (std::int64_t n = between(rng, 0, 3); n > 0; --n)
        inputs[v].push_back(between(rng, 0, static_cast<std::int64_t>(v) - 1));
    // Not the last one: some vertices must not be reached.
    calls.push_back(
        order_call("a random graph", inputs, static_cast<std::int64_t>(inputs.size() * 3 / 4)));
  }
  return calls;
}
std::vector<Record> make_long_order(Rng&) {
  std::vector<Integers> chain(100000);
  for (std::size_t v = 1; v < chain.size(); ++v) chain[v] = {static_cast<std::int64_t>(v) - 1};
  std::vector<Integers> ladder(60);  // 2^30 paths: each vertex must be visited once
  for (std::size_t v = 2; v < ladder.size(); ++v) {
    const auto below = static_cast<std::int64_t>(v / 2 * 2 - 2);
    ladder[v] = {below, below + 1};
  }
  return {order_call("a ladder with 2^29 paths", ladder, 59),
          order_call("a chain of 100,000", chain, 99999)};
}
void check_order(const Record& in, const Record& out) {
  const Integers &lists = in.integers("graph"), &order = out.integers("order");
  std::vector<Integers> inputs(static_cast<std::size_t>(in.integer("vertices")));
  for (std::size_t v = 0, at = 0; v < inputs.size(); ++v)
    for (std::int64_t n = lists[at++]; n > 0; --n) inputs[v].push_back(lists[at++]);
  std::vector<char> reached(inputs.size()), seen(inputs.size());
  reached[static_cast<std::size_t>(in.integer("root"))] = 1;
  for (std::size_t v = inputs.size(); v-- > 0;)
    if (reached[v])
      for (const std::int64_t i : inputs[v]) reached[static_cast<std::size_t>(i)] = 1;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (order[i] < 0) throw Wrong("position " + std::to_string(i) + " is no vertex of the graph");
    const auto v = static_cast<std::size_t>(order[i]);
    const std::string here =
        "vertex " + std::to_string(v) + ", at position " + std::to_string(i) + ", ";
    if (v >= inputs.size() || !reached[v]) throw Wrong(here + "is not below root");
    if (seen[v]) throw Wrong(here + "is there a second time");
    for (const std::int64_t input : inputs[v])
      if (!seen[static_cast<std::size_t>(input)])
        throw Wrong(here + "stands in front of its input, vertex " + std::to_string(input));
    seen[v] = 1;
  }
  const auto wanted = std::count(reached.begin(), reached.end(), 1);
  compare("number of vertices", wanted, static_cast<std::int64_t>(order.size()));
}

// ---- 2.3 -------------------------------------------------------------------------------------

// A random program whose values stay of a moderate size.
Record random_program(Rng& rng, std::int64_t leaves, std::int64_t length, bool shared) {
  Doubles values = normal(rng, leaves);
  Record r;
  r.put("leaves", {leaves}, values);
  Integers program;
  while (static_cast<std::int64_t>(program.size()) < 3 * length) {
    const auto last = static_cast<std::int64_t>(values.size()) - 1;
    const std::int64_t op = between(rng, s_add, s_relu);
    // A chain uses each value once; else any value may be used again, also twice by one operation.
    const std::int64_t a = shared ? between(rng, 0, last) : last;
    const std::int64_t b = shared ? between(rng, 0, last) : between(rng, 0, leaves - 1);
    const double x = values[static_cast<std::size_t>(a)], y = values[static_cast<std::size_t>(b)];
    if ((op == s_log && x < 0.2) || (op == s_div && std::abs(y) < 0.3)) continue;
    double v = 0;
    switch (op) {
      case s_add:
        v = x + y;
        break;
      case s_sub:
        v = x - y;
        break;
      case s_mul:
        v = x * y;
        break;
      case s_div:
        v = x / y;
        break;
      case s_exp:
        v = std::exp(x);
        break;
      case s_log:
        v = std::log(x);
        break;
      case s_tanh:
        v = std::tanh(x);
        break;
      default:
        v = x > 0 ? x : 0;
    }
    if (std::abs(v) > 8 || (op == s_relu && x <= 0)) continue;
    values.push_back(v);
    program.insert(program.end(), {op, a, b});
  }
  r.put("call", std::string("backward"));
  r.put("what", "backward through " + std::to_string(length) + " operations on " +
                    std::to_string(leaves) + " leaves");
  r.put("program", program);
  r.put("roots", static_cast<std::int64_t>(values.size()) - 1);
  return r;
}
std::vector<Record> make_chain(Rng& rng) {
  return {random_program(rng, 2, 4, false), random_program(rng, 3, 8, false),
          random_program(rng, 4, 12, false)};
}
std::vector<Record> make_shared(Rng& rng) {
  std::vector<Record> calls;
  for (const std::int64_t length : {3, 6, 12, 30, 30})
    calls.push_back(random_program(rng, 3, length, true));
  return calls;
}
std::vector<Record> make_twice(Rng& rng) {
  std::vector<Record> calls;
  for (const std::int64_t length : {6, 15, 30}) {
    Record r = random_program(rng, 3, length, true);
    const std::int64_t last = r.integer("roots");
    // The same root twice, then another one, which the first may depend on, then a leaf.
    r.put("roots", Integers{last, last, last - 2, 0});
    r.put("what",
          r.text("what") + ", from four roots in turn (two of them the same, the last a leaf)");
    calls.push_back(r);
  }
  return calls;
}
std::vector<Record> make_long(Rng&) {
  Record r;
  Integers program;
  for (std::int64_t i = 0; i < 50000; ++i) {  // v <- tanh(v + w)
    program.insert(program.end(), {s_add, i == 0 ? 0 : 2 * i + 1, 1});
    program.insert(program.end(), {s_tanh, 2 * i + 2, 0});
  }
  r.put("leaves", {2}, {0.5, 0.1});
  r.put("call", std::string("backward"));
  r.put("what", std::string("backward through a chain of 100,000 operations"));
  r.put("program", program);
  r.put("roots", std::int64_t{100001});
  return {r};
}
void check_backward(const Record& in, const Record& out) {
  std::vector<Tensor> values;
  for (const double v : in.doubles("leaves")) values.push_back(scalar(v));
  const std::size_t leaves = values.size();
  const Integers& p = in.integers("program");
  std::vector<Tensor> nodes;
  for (const std::int64_t root : in.integers("roots")) {  // a graph is freed by its backward
    nodes = values;
    for (std::size_t at = 0; at < p.size(); at += 3)
      nodes.push_back(apply(p[at], nodes[static_cast<std::size_t>(p[at + 1])],
                            nodes[static_cast<std::size_t>(p[at + 2])]));
    nodes[static_cast<std::size_t>(root)].backward();
  }
  Doubles grads;
  for (std::size_t i = 0; i < leaves; ++i) grads.push_back(grad_of(values[i]));
  compare("value of the last operation", Shape{}, {value_of(nodes.back())}, out.doubles("value"));
  compare("grad of leaf ", Shape{static_cast<std::int64_t>(leaves)}, grads, out.doubles("grads"));
}

}  // namespace

const std::vector<Case>& cases() {
  static const std::vector<Case> all = [] {
    std::vector<Case> list = {{"ops_arithmetic", make_arithmetic, check_op},
                              {"ops_functions", make_functions, check_op},
                              {"ops_relu", make_relu, check_op},
                              {"order_small", make_diamond, check_order},
                              {"order_random", make_random_order, check_order},
                              {"order_long", make_long_order, check_order},
                              {"backward_chain", make_chain, check_backward},
                              {"backward_shared", make_shared, check_backward},
                              {"backward_twice", make_twice, check_backward},
                              {"backward_long", make_long, check_backward}};
    for (const Case& c : tensor_cases()) list.push_back(c);
    return list;
  }();
  return all;
}

}  // namespace course

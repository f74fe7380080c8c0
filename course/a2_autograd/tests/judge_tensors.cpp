#include "judge_tensors.h"

#include "backends/registry.h"
#include "core/algebra.h"
#include "core/error.h"
#include "programs.h"

namespace course {
namespace {

using namespace programs;
using limulus::Tensor;

Tensor tensor(const Doubles& values, const Sizes& shape) {
  return Tensor::from(values, Shape(shape), limulus::device("reference"));
}

// ---- 2.4 -------------------------------------------------------------------------------------

Sizes random_shape(Rng& rng, std::int64_t most_axes = 4) {
  Sizes shape(static_cast<std::size_t>(between(rng, 0, most_axes)));
  for (std::int64_t& size : shape) size = between(rng, 1, 4);
  return shape;
}
// A shape that can be stretched to `shape`.
Sizes stretchable(Rng& rng, const Sizes& shape) {
  Sizes small(shape.begin() + static_cast<std::ptrdiff_t>(rng.below(shape.size() + 1)),
              shape.end());
  for (std::int64_t& size : small)
    if (rng.below(2) == 0) size = 1;
  return small;
}

std::vector<Record> make_shapes(Rng& rng) {
  std::vector<Record> calls;
  for (int i = 0; i < 12; ++i) {
    const Sizes shape = random_shape(rng);
    // Two shapes that fit, in either order, or two that most likely do not.
    const Sizes a = i % 3 == 2 ? random_shape(rng) : stretchable(rng, shape);
    const Sizes b = i % 3 == 1 ? stretchable(rng, shape) : shape;
    Record r;
    r.put("call", std::string("broadcast_shapes"));
    r.put("what", "broadcast_shapes(" + written(a) + ", " + written(b) + ")");
    r.put("a", a);
    r.put("b", b);
    calls.push_back(r);
  }
  return calls;
}
void check_shapes(const Record& in, const Record& out) {
  Sizes expected;
  try {
    expected =
        limulus::broadcast_shapes(Shape(in.integers("a")), Shape(in.integers("b")), "it").sizes();
  } catch (const limulus::ShapeError& e) {
    if (!out.has("invalid"))
      throw Wrong("returned " + written(out.integers("shape")) +
                  ", but must throw std::invalid_argument: " + e.what());
    return;
  }
  if (out.has("invalid")) throw Wrong("threw std::invalid_argument, but the shapes fit");
  if (out.integers("shape") != expected)
    throw Wrong("expected " + written(expected) + ", got " + written(out.integers("shape")));
}

std::vector<Record> stretches(Rng& rng, bool back) {
  std::vector<Record> calls;
  for (int i = 0; i < 10; ++i) {
    const Sizes large = i == 0 ? Sizes{2, 3} : i == 1 ? Sizes{2, 4, 3} : random_shape(rng);
    const Sizes small = i == 0 ? Sizes{3} : i == 1 ? Sizes{4, 1} : stretchable(rng, large);
    Record r;
    r.put("call", std::string(back ? "sum_to" : "broadcast_to"));
    r.put("what", back ? "sum_to(dy " + written(large) + ", " + written(small) + ")"
                       : "broadcast_to(x " + written(small) + ", " + written(large) + ")");
    r.put(back ? "dy" : "x", back ? large : small, normal(rng, product(back ? large : small)));
    r.put("shape", back ? small : large);
    calls.push_back(r);
  }
  return calls;
}
std::vector<Record> make_broadcast(Rng& rng) { return stretches(rng, false); }
std::vector<Record> make_sum_to(Rng& rng) { return stretches(rng, true); }

void compare_shape(const std::string& name, const Sizes& expected, const Sizes& got) {
  if (got != expected)
    throw Wrong(name + ": expected the shape " + written(expected) + ", got " + written(got));
}
void check_broadcast(const Record& in, const Record& out) {
  const Sizes& shape = in.integers("shape");
  const Tensor zeros = tensor(Doubles(static_cast<std::size_t>(product(shape))), shape);
  const Tensor y = tensor(in.doubles("x"), in.shape("x")) + zeros;
  compare_shape("y", shape, out.integers("y shape"));
  compare("y", Shape(shape), y.to_vector<double>(), out.doubles("y"));
}
void check_sum_to(const Record& in, const Record& out) {
  const Sizes& shape = in.integers("shape");
  const Tensor dx = limulus::sum_to(tensor(in.doubles("dy"), in.shape("dy")), Shape(shape));
  compare_shape("dx", shape, out.integers("dx shape"));
  compare("dx", Shape(shape), dx.to_vector<double>(), out.doubles("dx"));
}

// ---- 2.5 -------------------------------------------------------------------------------------

Record saved_call(const std::string& what, const Integers& program) {
  Record r;
  r.put("call", std::string("saved"));
  r.put("what", what);
  r.put("values", {3}, {1.5, 2.5, 3.5});
  r.put("program", program);
  return r;
}
std::vector<Record> make_saved(Rng&) {
  return {saved_call("save, read", {v_save, 0, v_read, 0}),
          saved_call("save, change, read", {v_save, 0, v_change, 0, v_read, 0}),
          saved_call("change, save, read", {v_change, 0, v_save, 0, v_read, 0}),
          saved_call("save a and b, change b, read both",
                     {v_save, 0, v_save, 1, v_change, 1, v_read, 0, v_read, 1}),
          saved_call("save, change, save again, read both",
                     {v_save, 2, v_change, 2, v_save, 2, v_read, 0, v_read, 1})};
}
std::vector<Record> make_saved_random(Rng& rng) {
  std::vector<Record> calls;
  while (calls.size() < 6) {
    Integers program = {v_save, 0, v_save, 1, v_save, 2};
    std::int64_t saved = 3;
    for (int i = 0; i < 20; ++i) {
      const std::int64_t op = between(rng, v_save, v_read);
      program.insert(program.end(), {op, between(rng, 0, op == v_read ? saved - 1 : 2)});
      saved += op == v_save;
    }
    calls.push_back(saved_call("a random sequence of saving, changing and reading", program));
  }
  return calls;
}
void check_saved(const Record& in, const Record& out) {
  Doubles values = in.doubles("values"), read;
  Integers versions(values.size()), stale;
  std::vector<std::pair<std::size_t, std::int64_t>> saved;
  const Integers& p = in.integers("program");
  for (std::size_t at = 0; at < p.size(); at += 2) {
    const auto i = static_cast<std::size_t>(p[at + 1]);
    if (p[at] == v_save) {
      saved.emplace_back(i, versions[i]);
    } else if (p[at] == v_change) {
      values[i] += 1;
      ++versions[i];
    } else {
      const auto [node, version] = saved[i];
      stale.push_back(versions[node] != version);
      read.push_back(stale.back() ? 0 : values[node]);
    }
  }
  compare("whether a read value was stale, in turn: ", stale, out.integers("stale"));
  compare("what was read, in turn: ", Shape{static_cast<std::int64_t>(read.size())}, read,
          out.doubles("read"));
}

// ---- 2.6 -------------------------------------------------------------------------------------

Record tensors_call(Rng& rng, const std::string& what, const std::vector<Sizes>& leaves,
                    const Integers& program, const Sizes& result) {
  Record r;
  r.put("call", std::string("tensors"));
  r.put("what", what);
  r.put("leaves", static_cast<std::int64_t>(leaves.size()));
  for (std::size_t i = 0; i < leaves.size(); ++i)
    r.put("leaf " + std::to_string(i), leaves[i], normal(rng, product(leaves[i])));
  r.put("program", program);
  r.put("dy", result, normal(rng, product(result)));
  r.put("times", std::int64_t{1});
  return r;
}
std::vector<Record> make_elementwise(Rng& rng) {
  const Sizes s = {between(rng, 2, 4), between(rng, 2, 5)};
  return {
      tensors_call(rng, "a + b", {s, s}, {t_add, 0, 1}, s),
      tensors_call(rng, "a b", {s, s}, {t_mul, 0, 1}, s),
      tensors_call(rng, "relu(a)", {s}, {t_relu, 0, 0}, s),
      tensors_call(rng, "sum(a)", {s}, {t_sum, 0, 0}, {}),
      tensors_call(rng, "relu(a b + c)", {s, s, s}, {t_mul, 0, 1, t_add, 3, 2, t_relu, 4, 0}, s)};
}
std::vector<Record> make_broadcasting(Rng& rng) {
  const std::int64_t m = between(rng, 2, 4), n = between(rng, 2, 5);
  return {tensors_call(rng, "a [m, n] + b [n]", {{m, n}, {n}}, {t_add, 0, 1}, {m, n}),
          tensors_call(rng, "a [m, 1] b [m, n]", {{m, 1}, {m, n}}, {t_mul, 0, 1}, {m, n}),
          tensors_call(rng, "a [m, 1] b [n]", {{m, 1}, {n}}, {t_mul, 0, 1}, {m, n}),
          tensors_call(rng, "a [] b [m, n] + c [1, n]", {{}, {m, n}, {1, n}},
                       {t_mul, 0, 1, t_add, 3, 2}, {m, n})};
}
std::vector<Record> make_matmul(Rng& rng) {
  const std::int64_t m = between(rng, 2, 5), k = between(rng, 2, 5), n = between(rng, 2, 5);
  return {tensors_call(rng, "a b (matrices)", {{m, k}, {k, n}}, {t_matmul, 0, 1}, {m, n}),
          tensors_call(rng, "relu(x w + b) v: two layers", {{m, k}, {k, n}, {n}, {n, 2}},
                       {t_matmul, 0, 1, t_add, 4, 2, t_relu, 5, 0, t_matmul, 6, 3}, {m, 2})};
}
std::vector<Record> make_used_twice(Rng& rng) {
  const std::int64_t n = between(rng, 2, 4);
  Record twice = tensors_call(rng, "a a + a, and backward called twice", {{n}},
                              {t_mul, 0, 0, t_add, 1, 0}, {n});
  twice.put("times", std::int64_t{2});
  return {tensors_call(rng, "a + a", {{n}}, {t_add, 0, 0}, {n}),
          tensors_call(rng, "a a", {{n}}, {t_mul, 0, 0}, {n}),
          tensors_call(rng, "a a (matrices)", {{n, n}}, {t_matmul, 0, 0}, {n, n}),
          tensors_call(rng, "s = a b; s s + s", {{n}, {n}}, {t_mul, 0, 1, t_mul, 2, 2, t_add, 3, 2},
                       {n}),
          twice};
}
std::vector<Record> make_changed(Rng& rng) {
  const Sizes s = {2, between(rng, 2, 4)};
  Record product_changed =
      tensors_call(rng, "a b, then a is changed in place", {s, s}, {t_mul, 0, 1}, s);
  Record sum_changed =
      tensors_call(rng, "a + b, then a is changed in place", {s, s}, {t_add, 0, 1}, s);
  Record matrix_changed = tensors_call(rng, "a b (matrices), then b is changed in place",
                                       {{2, s[1]}, {s[1], 3}}, {t_matmul, 0, 1}, {2, 3});
  Record sum_all = tensors_call(rng, "sum(a), then a is changed in place", {s}, {t_sum, 0, 0}, {});
  product_changed.put("change", std::int64_t{0});
  sum_changed.put("change", std::int64_t{0});
  matrix_changed.put("change", std::int64_t{1});
  sum_all.put("change", std::int64_t{0});
  for (Record* r : {&product_changed, &matrix_changed}) r->put("stale", std::int64_t{1});
  return {product_changed, sum_changed, matrix_changed, sum_all};
}

Tensor evaluate(const Record& in, const std::vector<Tensor>& leaves) {
  std::vector<Tensor> nodes = leaves;
  const Integers& p = in.integers("program");
  for (std::size_t at = 0; at < p.size(); at += 3) {
    const Tensor &a = nodes[static_cast<std::size_t>(p[at + 1])],
                 &b = nodes[static_cast<std::size_t>(p[at + 2])];
    Tensor y;
    switch (p[at]) {
      case t_add:
        y = a + b;
        break;
      case t_mul:
        y = a * b;
        break;
      case t_matmul:
        y = limulus::matmul(a, b);
        break;
      case t_relu:
        y = limulus::unary(limulus::UnaryOp::relu, a);
        break;
      default:
        y = limulus::sum(a);
    }
    nodes.push_back(y);
  }
  return nodes.back();
}

void check_tensors(const Record& in, const Record& out) {
  std::vector<Tensor> leaves;
  for (std::int64_t i = 0; i < in.integer("leaves"); ++i) {
    const std::string name = "leaf " + std::to_string(i);
    leaves.push_back(tensor(in.doubles(name), in.shape(name)).set_requires_grad());
  }
  Tensor y;
  for (std::int64_t i = 0; i < in.integer("times"); ++i) {
    y = evaluate(in, leaves);
    y.backward(tensor(in.doubles("dy"), in.shape("dy")));
  }
  compare_shape("y", y.shape().sizes(), out.integers("y shape"));
  compare("y", y.shape(), y.to_vector<double>(), out.doubles("y"));
  if (in.has("stale") && !out.has("stale"))
    throw Wrong("backward used a value that was changed in place, and must throw StaleValue");
  if (!in.has("stale") && out.has("stale"))
    throw Wrong(
        "backward threw StaleValue, but this operation's derivative needs no values of its inputs");
  if (in.has("stale")) return;
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    const std::string name = "grad " + std::to_string(i);
    const Shape& shape = leaves[i].shape();
    compare_shape("grad of leaf " + std::to_string(i), shape.sizes(),
                  out.integers(name + " shape"));
    const Doubles x = leaves[i].to_vector<double>(), values = y.to_vector<double>();
    const auto f = [&](const Doubles& moved) {
      std::vector<Tensor> others;
      for (const Tensor& t : leaves) others.push_back(t.detach());
      others[i] = tensor(moved, shape.sizes());
      return evaluate(in, others).to_vector<double>();
    };
    compare_gradient(
        {"grad of leaf " + std::to_string(i), shape, y.shape(), x, values, in.doubles("dy"), f},
        leaves[i].grad().to_vector<double>(), out.doubles(name));
  }
}

}  // namespace

std::vector<Case> tensor_cases() {
  return {{"broadcast_shapes", make_shapes, check_shapes},
          {"broadcast_to", make_broadcast, check_broadcast},
          {"sum_to", make_sum_to, check_sum_to},
          {"saved", make_saved, check_saved},
          {"saved_random", make_saved_random, check_saved},
          {"tensors_elementwise", make_elementwise, check_tensors},
          {"tensors_broadcast", make_broadcasting, check_tensors},
          {"tensors_matmul", make_matmul, check_tensors},
          {"tensors_shared", make_used_twice, check_tensors},
          {"tensors_changed", make_changed, check_tensors}};
}

}  // namespace course

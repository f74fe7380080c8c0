// The rules of differentiation: what accumulates, what is an error, what is freed and when.
#include "core/autograd.h"

#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "backends/registry.h"
#include "core/algebra.h"
#include "core/buffer_pool.h"
#include "core/error.h"
#include "messages.h"

using namespace limulus;

namespace {

using Values = std::vector<double>;

Backend& reference() { return device("reference"); }

Tensor leaf(const Values& v) {
  return Tensor::from(v, {static_cast<std::int64_t>(v.size())}, reference()).set_requires_grad();
}
Tensor zeros(const Shape& shape) { return Tensor::zeros(shape, DType::f64, reference()); }
Values values(const Tensor& t) { return t.to_vector<double>(); }
std::size_t live() { return reference().pool().stats().live_bytes; }

// Calls a function when its backward runs.
struct Spy : Op {
  explicit Spy(std::function<std::vector<Tensor>(const Tensor&)> f) : on_backward(std::move(f)) {}
  const char* name() const override { return "spy"; }
  std::vector<Tensor> backward(const Tensor& dy) override { return on_backward(dy); }
  std::function<std::vector<Tensor>(const Tensor&)> on_backward;
};

}  // namespace

TEST_CASE("a tensor that is used twice receives the sum of both gradients") {
  const Tensor x = leaf({3});
  (x * x).backward();
  CHECK(values(x.grad()) == Values{6});
}

TEST_CASE("paths that part and meet again: each op runs once, after all that use its result") {
  const Tensor x = leaf({2});
  int runs = 0;
  const Tensor a = record<Spy>(x.detach() * 1.0, {x}, {}, [&](const Tensor& dy) {
    ++runs;
    CHECK(values(dy) == Values{3 + 4 * 5});
    return std::vector<Tensor>{dy};
  });
  const Tensor b = a * 4.0;
  (a * 3.0 + b * 5.0).backward();
  CHECK(runs == 1);
  CHECK(values(x.grad()) == Values{23});
}

TEST_CASE("a leaf is announced once, when all that read it have given their part") {
  const Tensor first = leaf({2}), twice = leaf({3});
  std::string order;
  const auto spy = [&](const Tensor& x, const std::string& name) {
    const auto note = [&order, name](const Tensor& dy) {
      order += name;
      return std::vector<Tensor>{dy};
    };
    return record<Spy>(x.clone(), {x}, {}, note);
  };
  const Tensor y = spy(spy(first * twice, "a") * twice, "b");
  {
    const WhenGradientReady ready([&](Tensor& w) {
      order += w.impl() == first.impl() ? "[first]" : "[twice]";
      CHECK(values(w.grad()) == (w.impl() == first.impl() ? Values{9} : Values{12}));
      if (w.impl() == first.impl()) w.zero_grad();
    });
    y.backward();
  }
  CHECK(order == "ba[first][twice]");
  CHECK(!first.grad().defined());
  CHECK(values(twice.grad()) == Values{12});
  (first * twice).backward();  // nobody listens any more
  CHECK(order == "ba[first][twice]");
  CHECK(values(first.grad()) == Values{3});
}

TEST_CASE("add hands one dy to both inputs, and they do not disturb each other") {
  const Tensor x = leaf({1, 2}), y = leaf({3, 4});
  const Tensor s = x + y;
  // Both gradients of `s` begin as the same tensor; a second path adds to x's alone.
  sum(s + x * 10.0).backward();
  CHECK(values(x.grad()) == Values{11, 11});
  CHECK(values(y.grad()) == Values{1, 1});

  const Tensor p = leaf({1}), q = leaf({1});
  const Tensor pp = p * 1.0, qq = q * 1.0;  // the same with tensors that are no leaves
  (((pp + qq) + pp * 10.0) + qq * 100.0).backward();
  CHECK(values(p.grad()) == Values{11});
  CHECK(values(q.grad()) == Values{101});
}

TEST_CASE("the caller's dy and gradients that were handed out are never written to") {
  const Tensor x = leaf({1, 2}), y = leaf({1, 1});
  const Tensor dy = Tensor::from(Values{5, 7}, {2}, reference());
  (x + y).backward(dy);
  const Tensor first = x.grad();
  (x + y).backward(dy);
  CHECK(values(dy) == Values{5, 7});
  CHECK(values(first) == Values{5, 7});
  CHECK(values(x.grad()) == Values{10, 14});
  x.backward(dy);  // a leaf is its own root
  CHECK(values(x.grad()) == Values{15, 21});
  CHECK(values(dy) == Values{5, 7});
}

TEST_CASE("gradients of several graphs accumulate until they are cleared") {
  Tensor w = leaf({2});
  for (int batch = 1; batch <= 3; ++batch) (w * static_cast<double>(batch)).backward();
  CHECK(values(w.grad()) == Values{6});
  w.zero_grad();
  CHECK(!w.grad().defined());
}

TEST_CASE("backward twice through one graph is an error that says what to do") {
  const Tensor x = leaf({3});
  const Tensor y = exp(x * x);
  y.backward();
  const std::string m = message<GraphError>([&] { y.backward(); });
  CHECK(has(m, "already used"));
  CHECK(has(m, "'exp'"));
  CHECK(has(m, "run the forward pass again"));
  // A new result over a part that was used, too.
  const Tensor z = leaf({1}) * 2.0;
  z.backward();
  CHECK(has(message<GraphError>([&] { (z + 1.0).backward(); }), "already used"));
}

TEST_CASE("a saved tensor that was changed in place is an error with both versions") {
  Tensor x = leaf({3}), w = Tensor::from(Values{2}, {1}, reference());
  const Tensor y = x * w;
  w.fill_(5);
  const std::string m = message<GraphError>([&] { y.backward(); });
  CHECK(has(m, "mul"));
  CHECK(has(m, "changed in place"));
  CHECK(!x.grad().defined());

  // Through a view of the same values as well.
  const Tensor v = Tensor::from(Values{2, 2}, {2}, reference());
  const Tensor z = sum(leaf({1, 1}) * v);
  v.view({1, 2}).fill_(3);
  CHECK_THROWS_AS(z.backward(), GraphError);

  // But not what was not saved: x + w does not need w's value.
  const Tensor s = x + w;
  w.fill_(7);
  CHECK_NOTHROW(s.backward());
}

TEST_CASE("changing a recorded tensor in place is refused outside of NoGrad") {
  Tensor x = leaf({3});
  Tensor y = x * 2.0;
  CHECK(has(message<GraphError>([&] { x.fill_(0); }), "NoGrad"));
  CHECK_THROWS_AS(y.copy_(x.detach()), GraphError);
  {
    const NoGrad setting_weights;
    CHECK_NOTHROW(x.fill_(4));
  }
  CHECK(values(x) == Values{4});
}

TEST_CASE("NoGrad is a scope, and scopes nest") {
  const Tensor x = leaf({1});
  {
    const NoGrad outer;
    {
      const NoGrad inner;
      CHECK(!NoGrad::recording());
    }
    CHECK(!NoGrad::recording());
    const Tensor y = x * 2.0;
    CHECK(!y.requires_grad());
    CHECK(y.is_leaf());
  }
  CHECK(NoGrad::recording());
  CHECK((x * 2.0).requires_grad());
}

TEST_CASE("leaves: what can require a gradient, and what has none") {
  Tensor x = leaf({1});
  Tensor y = x * 2.0;
  CHECK(x.is_leaf());
  CHECK(!y.is_leaf());
  CHECK(has(message<GraphError>([&] { y.set_requires_grad(false); }), "'affine'"));
  CHECK(!y.detach().requires_grad());
  CHECK(!y.clone().requires_grad());
  CHECK_THROWS_AS(Tensor::from(std::vector<std::int64_t>{1}, {1}, reference()).set_requires_grad(),
                  DTypeError);
  y.backward();
  CHECK(!y.grad().defined());  // only leaves keep theirs

  const Tensor constant = zeros({1});
  CHECK(has(message<GraphError>([&] { (constant * 2.0).backward(); }), "set_requires_grad"));
  // What needs none gets none.
  (x * constant).backward();
  CHECK(!constant.grad().defined());
}

TEST_CASE("backward without dy needs one value; a dy must have the tensor's shape and type") {
  const Tensor x = leaf({1, 2});
  CHECK(has(message<ShapeError>([&] { (x * 2.0).backward(); }), "sum() or mean()"));
  CHECK_THROWS_AS((x * 2.0).backward(zeros({3})), ShapeError);
  CHECK_THROWS_AS((x * 2.0).backward(Tensor::zeros({2}, DType::f32, reference())), ShapeError);
}

TEST_CASE("an op whose backward breaks the rules is named") {
  const Tensor x = leaf({1, 2});
  const auto with = [&](std::vector<Tensor> returned) {
    return message<GraphError>([&] {
      record<Spy>(x.detach() * 1.0, {x}, {}, [&](const Tensor&) {
        return returned;
      }).backward(zeros({2}));
    });
  };
  CHECK(has(with({}), "spy: returned 0 gradients for 1 inputs"));
  CHECK(has(with({Tensor()}), "no gradient for input 0"));
  CHECK(has(with({zeros({3})}), "[3] but the input is f64 [2]"));
}

TEST_CASE("100,000 operations in a row: neither backward nor destruction overflows the stack") {
  const Tensor x = leaf({1});
  {
    Tensor y = x;
    for (int i = 0; i < 100000; ++i) y = y + 1e-5;
    CHECK(y.item() == doctest::Approx(2));
    y.backward();
    CHECK(values(x.grad()) == Values{1});
  }
  Tensor unused = x * 1.0;
  for (int i = 0; i < 100000; ++i) unused = unused + unused;  // two edges to each
  unused = Tensor();                                          // never went backward
}

TEST_CASE("values that no derivative needs are freed at once") {
  constexpr std::size_t size = 1 << 20;
  const std::int64_t n = size / sizeof(double);
  const Tensor x = zeros({n}).set_requires_grad();
  const std::size_t before = live();
  Tensor y = x;
  for (int i = 0; i < 20; ++i) y = y + 1.0;  // keeps nothing
  CHECK(live() - before <= size);
  for (int i = 0; i < 20; ++i) y = exp(y);  // each keeps its result
  CHECK(live() - before >= 20 * size);
  CHECK(live() - before <= 21 * size);
}

TEST_CASE("saved tensors are freed as backward passes their op, and all is freed after it") {
  constexpr std::size_t size = 1 << 20;
  const std::int64_t n = size / sizeof(double);
  const Tensor x = zeros({n}).set_requires_grad();
  const std::size_t before = live();
  {
    std::size_t at_the_end = 0;  // when backward comes to the first op, all others are done
    Tensor y = record<Spy>(x.detach() * 1.0, {x}, {}, [&](const Tensor& dy) {
      at_the_end = live();
      return std::vector<Tensor>{dy};
    });
    for (int i = 0; i < 20; ++i) y = square(y);
    y = sum(y);
    CHECK(live() - before >= 20 * size);
    y.backward();
    CHECK(at_the_end - before <= 3 * size);
  }
  CHECK(live() - before == size);  // x.grad
}

TEST_CASE("a second step of the same sizes allocates nothing") {
  const Tensor x = zeros({1000}).set_requires_grad();
  const auto step = [&] { sum(exp(x) * square(x)).backward(); };
  step();
  step();
  const auto allocations = reference().pool().stats().allocations;
  step();
  CHECK(reference().pool().stats().allocations == allocations);
}

TEST_CASE("gradients return through a change of device") {
  const std::vector<DeviceInfo> devices = list_devices();
  for (const DeviceInfo& info : devices) {
    const Tensor x = leaf({1, 2});
    const Tensor y = to(square(to(x, device(info.name))), reference());
    y.backward(Tensor::from(Values{10, 100}, {2}, reference()));
    CHECK(values(x.grad()) == Values{20, 400});
    CHECK(&x.grad().backend() == &reference());
  }
}

TEST_CASE("poisoned memory shows what was never written, within its scope only") {
  {
    const PoisonEmpty poison;
    const Tensor t = Tensor::empty({3}, DType::f64, reference());
    for (const double v : values(t)) CHECK(v != v);
    CHECK(values(zeros({2})) == Values{0, 0});
    const Tensor x = leaf({2});
    (x * x).backward();
    CHECK(values(x.grad()) == Values{4});
  }
  Tensor::full({3}, 1, DType::f64, reference());  // back to the pool with ones
  for (const double v : values(Tensor::empty({3}, DType::f64, reference()))) CHECK(v == v);
}

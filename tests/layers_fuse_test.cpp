// Pairs of layers that run as one: Sequential finds them, their results and gradients are those of
// the layers one by one, and packed weights never outlive the weights they were made of.
#include <doctest/doctest.h>

#include <cstring>

#include "backends/reference/reference_backend.h"
#include "backends/registry.h"
#include "core/buffer_pool.h"
#include "core/rng.h"
#include "core/trace.h"
#include "gradcheck/cases/host_backend.h"
#include "layers/activation.h"
#include "layers/conv2d.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/local_response_norm.h"
#include "layers/max_pool2d.h"
#include "models/initialize.h"

using namespace limulus;

namespace {

// AlexNet in small: every pair that is fused, and a ReLU after nothing that could take it along.
std::shared_ptr<Sequential> small_network(Backend& backend) {
  auto net = std::make_shared<Sequential>();
  net->add<Conv2d>("conv1", 3, 16, Conv2dOptions{.kernel = 5, .stride = 2}, backend, DType::f64)
      .add<ReLU>("relu1")
      .add<LocalResponseNorm>("lrn1", LrnOptions{.alpha = 0.1})
      .add<MaxPool2d>("pool1", Pool2dOptions{.kernel = 3, .stride = 2})
      .add<ReLU>("relu1b")
      .add<Conv2d>("conv2", 16, 8, Conv2dOptions{.kernel = 3, .pad = 1, .groups = 2}, backend,
                   DType::f64)
      .add<ReLU>("relu2")
      .add<Flatten>("flatten")
      .add<Linear>("fc3", 8 * 4 * 4, 10, backend, DType::f64)
      .add<ReLU>("relu3");
  initialize(*net, Recipe::he, 3);
  return net;
}

struct Run {
  std::vector<double> y;
  std::vector<std::vector<double>> gradients;
};

Run run(Backend& backend) {
  const auto net = small_network(backend);
  Rng rng(5);
  Tensor x = Tensor::empty({2, 3, 23, 23}, DType::f64, backend);
  fill_normal(x, 0, 1, rng);
  Tensor dy = Tensor::empty({2, 10}, DType::f64, backend);
  fill_normal(dy, 0, 1, rng);
  x.set_requires_grad();
  const Tensor y = net->forward(x);
  y.backward(dy);
  Run result{y.to_doubles(), {x.grad().to_doubles()}};
  for (const auto& [name, t] : net->parameters()) result.gradients.push_back(t.grad().to_doubles());
  return result;
}

void check_close(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] == doctest::Approx(b[i]).epsilon(1e-10));
}

// The reference backend with a packing of its own: it keeps the weights negated, so that nothing
// comes out right unless packed weights are used exactly where they are meant to be.
struct PackingBackend : HostBackend {
  PackingBackend() : HostBackend("packing") {}
  static std::int64_t count(const Conv2dShape& s) {
    return s.k * (s.c / s.groups) * s.window.h.kernel * s.window.w.kernel;
  }
  std::size_t conv2d_packed_bytes(DType t, const Conv2dShape& s) override {
    return static_cast<std::size_t>(count(s)) * size_of(t);
  }
  void conv2d_pack(DType t, const Conv2dShape& s, const void* w, void* packed) override {
    ++packings;
    unary(t, UnaryOp::neg, count(s), w, packed);
  }
  void conv2d_forward(DType t, const Conv2dShape& s, const void* x, const void* w, const void* b,
                      void* y) override {
    std::vector<double> plain(static_cast<std::size_t>(count(s)));
    if (s.packed) unary(t, UnaryOp::neg, count(s), w, plain.data());
    Backend::conv2d_forward(t, s, x, s.packed ? plain.data() : w, b, y);
  }
  int packings = 0;
};

}  // namespace

TEST_CASE("fused layers give what the layers one by one give, forward and backward") {
  for (const char* name : {"reference", "cpu"}) {
    CAPTURE(name);
    const Run fused = run(device(name));
    const NoFusion one_by_one;
    const Run plain = run(device(name));
    check_close(fused.y, plain.y);
    REQUIRE(fused.gradients.size() == plain.gradients.size());
    for (std::size_t i = 0; i < plain.gradients.size(); ++i) {
      CAPTURE(i);
      check_close(fused.gradients[i], plain.gradients[i]);
    }
  }
}

TEST_CASE("Sequential fuses neighbours, and does not with NoFusion or an observer") {
  Backend& backend = device("cpu");
  const auto net = small_network(backend);
  const Tensor x = Tensor::full({1, 3, 23, 23}, 0.5, DType::f64, backend);
  const auto scopes = [&] {
    std::vector<std::string> seen;
    set_trace_sink([&](const TraceEvent& e) {
      if (!e.scope.empty() && (seen.empty() || seen.back() != e.scope)) seen.push_back(e.scope);
    });
    net->forward(x);
    set_trace_sink({});
    return seen;
  };
  const std::vector<std::string> all = {"conv1", "relu1", "lrn1", "pool1", "relu1b",
                                        "conv2", "relu2", "fc3",  "relu3"};
  CHECK(scopes() == std::vector<std::string>{"conv1", "lrn1", "relu1b", "conv2", "fc3"});
  {
    const NoFusion one_by_one;
    CHECK(scopes() == all);
  }
  std::vector<std::string> observed;
  const LayerObserver observer(
      [&](const std::string& name, const Tensor&) { observed.push_back(name); });
  CHECK(scopes() == all);
  CHECK(observed.size() == 10);  // flatten, too
}

TEST_CASE("packed weights are made once, and again when the weight or the shape changed") {
  device("reference");  // what the backend below borrows its kernels from
  PackingBackend backend;
  Conv2d conv(2, 3, {.kernel = 3}, backend, DType::f64);
  Rng rng(1);
  fill_normal(conv.weight, 0, 1, rng);
  Tensor x = Tensor::empty({1, 2, 5, 5}, DType::f64, backend);
  fill_normal(x, 0, 1, rng);

  const auto expected = [&] { return conv2d(x, conv.weight, conv.bias).to_doubles(); };
  check_close(conv.forward(x).to_doubles(), expected());
  CHECK(backend.packings == 0);  // a gradient is recorded: the weight is about to change

  const NoGrad inference;
  check_close(conv.forward(x).to_doubles(), expected());
  check_close(conv.forward(x).to_doubles(), expected());
  CHECK(backend.packings == 1);
  conv.weight.fill_(0.25);
  check_close(conv.forward(x).to_doubles(), expected());
  CHECK(backend.packings == 2);
  conv.weight = Tensor::full({3, 2, 3, 3}, -0.5, DType::f64, backend);
  check_close(conv.forward(x).to_doubles(), expected());
  CHECK(backend.packings == 3);
  x = Tensor::full({1, 2, 7, 4}, 0.75, DType::f64, backend);
  check_close(conv.forward(x).to_doubles(), expected());
  CHECK(backend.packings == 4);
}

TEST_CASE("a fused pair whose sizes do not fit names both layers") {
  Backend& backend = device("cpu");
  Sequential net;
  net.add<LocalResponseNorm>("lrn1").add<MaxPool2d>("pool1", Pool2dOptions{.kernel = 9});
  const Tensor x = Tensor::zeros({1, 2, 5, 5}, DType::f32, backend);
  CHECK_THROWS_WITH(net.forward(x), doctest::Contains("lrn1+pool1: max_pool2d"));
}

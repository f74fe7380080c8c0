// The CPU backend with one kernel of somebody's own: that kernel runs wherever the primitive is
// meant, also inside of passes that do several primitives' work, and all others run as before.
#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <string>

#include "backends/cpu/cpu_backend.h"
#include "backends/registry.h"
#include "core/error.h"
#include "core/rng.h"
#include "core/trace.h"
#include "layers/activation.h"
#include "layers/conv2d.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/local_response_norm.h"
#include "layers/max_pool2d.h"
#include "models/initialize.h"

using namespace limulus;

namespace {

// Each of these counts its calls, and computes what the library does.
class MyPool : public CpuBackend {
 public:
  explicit MyPool(const std::string& name) : CpuBackend(1, name) {}
  void max_pool2d_forward(DType t, const Pool2dShape& s, const void* x, void* y,
                          void* argmax) override {
    ++calls;
    CpuBackend::max_pool2d_forward(t, s, x, y, argmax);
  }
  int calls = 0;
};

class MyLrn : public CpuBackend {
 public:
  explicit MyLrn(const std::string& name) : CpuBackend(1, name) {}
  int calls = 0;

 private:  // which an override may be
  void lrn_across_forward(DType t, const LrnShape& s, const void* x, void* y) override {
    ++calls;
    CpuBackend::lrn_across_forward(t, s, x, y);
  }
};

// A first kernel knows neither of ReLU nor of packed weights.
class MyConv : public CpuBackend {
 public:
  explicit MyConv(const std::string& name) : CpuBackend(1, name) {}
  void conv2d_forward(DType t, const Conv2dShape& s, const void* x, const void* w, const void* b,
                      void* y) override {
    ++calls;
    asked_for_more = asked_for_more || s.relu || s.packed;
    CpuBackend::conv2d_forward(t, s, x, w, b, y);
  }
  int calls = 0;
  bool asked_for_more = false;
};

class MyGemm : public CpuBackend {
 public:
  explicit MyGemm(const std::string& name) : CpuBackend(1, name) {}
  void gemm(DType t, const GemmShape& s, const void* a, const void* b, void* c) override {
    ++calls;
    CpuBackend::gemm(t, s, a, b, c);
  }
  int calls = 0;
};

class MyUnary : public CpuBackend {
 public:
  explicit MyUnary(const std::string& name) : CpuBackend(1, name) {}
  void unary(DType t, UnaryOp op, std::int64_t n, const void* x, void* y) override {
    calls += op == UnaryOp::relu;
    CpuBackend::unary(t, op, n, x, y);
  }
  int calls = 0;
};

// Derived from one of them, with a kernel more than its base was asked about.
class MyBoth : public MyPool {
 public:
  using MyPool::MyPool;
  void lrn_across_forward(DType t, const LrnShape& s, const void* x, void* y) override {
    ++lrn_calls;
    MyPool::lrn_across_forward(t, s, x, y);
  }
  int lrn_calls = 0;
};

// Every pair of layers that is fused.
std::vector<double> run_network(Backend& backend) {
  Sequential net;
  net.add<Conv2d>("conv", 3, 16, {.kernel = 3, .pad = 1}, backend).add<ReLU>("relu1");
  net.add<LocalResponseNorm>("lrn", {.alpha = 0.1})
      .add<MaxPool2d>("pool", {.kernel = 3, .stride = 2});
  net.add<Flatten>("flatten").add<Linear>("fc", 16 * 16, 10, backend).add<ReLU>("relu2");
  initialize(net, Recipe::he, 1);
  Tensor x = Tensor::empty({2, 3, 9, 9}, DType::f32, backend);
  Rng rng(2);
  fill_normal(x, 0, 1, rng);
  const NoGrad inference;  // weights are packed then
  return net(x).to_doubles();
}

void check_same(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] == doctest::Approx(b[i]).epsilon(1e-5));
}

// As a device, with its kernels found out; and without, on the stack.
template <class Mine, class Check>
void both_ways(const std::string& name, Check check) {
  auto& added = static_cast<Mine&>(add_device(std::make_unique<Mine>(name)));
  CAPTURE(name);
  check_same(run_network(added), run_network(device("cpu")));
  check(added);
  Mine plain(name);
  check_same(run_network(plain), run_network(device("cpu")));
  check(plain);
}

// Which primitives run, and how often.
std::map<std::string, int> primitives(Backend& backend) {
  std::map<std::string, int> calls;
  set_trace_sink([&](const TraceEvent& e) { ++calls[e.primitive]; });
  run_network(backend);
  set_trace_sink({});
  return calls;
}

bool skipped() {
  if (!cpu_instruction_set().empty()) return false;
  MESSAGE("skipped: this processor has no AVX2");
  return true;
}

}  // namespace

TEST_CASE("a kernel of one's own runs, also where a fused pass would go by it") {
  if (skipped()) return;
  both_ways<MyPool>("my-pool", [](MyPool& b) { CHECK(b.calls == 1); });
  both_ways<MyLrn>("my-lrn", [](MyLrn& b) { CHECK(b.calls == 1); });
  both_ways<MyConv>("my-conv", [](MyConv& b) {
    CHECK(b.calls == 1);
    CHECK_FALSE(b.asked_for_more);
  });
  both_ways<MyGemm>("my-gemm", [](MyGemm& b) { CHECK(b.calls == 1); });
  both_ways<MyUnary>("my-unary", [](MyUnary& b) { CHECK(b.calls == 2); });
}

TEST_CASE("all other passes of a device stay fused") {
  if (skipped()) return;
  struct Nothing : CpuBackend {
    Nothing() : CpuBackend(1, "nothing") {}
  };
  std::map<std::string, int> all = primitives(device("cpu"));
  CHECK(all.count("lrn_across_max_pool2d_forward") == 1);
  CHECK(all.count("relu") == 0);
  CHECK(primitives(add_device(std::make_unique<Nothing>())) == all);
  // Only the pass that max pooling has a part in is done in steps.
  all.erase("lrn_across_max_pool2d_forward");
  all["lrn_across_forward"] = all["max_pool2d_forward"] = 1;
  CHECK(primitives(add_device(std::make_unique<MyPool>("my-pool-2"))) == all);
}

TEST_CASE("a class that nobody asked about counts as having all kernels of its own") {
  if (skipped()) return;
  MyBoth both("my-both");
  both.find_own_primitives<MyPool>();  // of its base: it has one more
  check_same(run_network(both), run_network(device("cpu")));
  CHECK(both.calls == 1);
  CHECK(both.lrn_calls == 1);
}

TEST_CASE("a product of one's own does not read weights stored as bf16") {
  if (skipped()) return;
  MyGemm mine("my-gemm-2");
  const Tensor x = Tensor::full({2, 8}, 1, DType::f32, mine);
  const Tensor w = Tensor::full({4, 8}, 0.5, DType::f32, mine).to_dtype(DType::bf16);
  const NoGrad inference;
  CHECK(linear(x, w, Tensor()).to_vector<float>() == std::vector<float>(8, 4));
}

TEST_CASE("a device has a name that --device can take, and there is one") {
  if (skipped()) return;
  for (const char* name : {"", "a,b", "a b", "cpu", "cpu:7", "reference"})
    CHECK_THROWS_AS(add_device(std::make_unique<MyPool>(name)), ValueError);
  CHECK_THROWS_WITH_AS(add_device(std::unique_ptr<Backend>()), doctest::Contains("null"),
                       ValueError);
  add_device(std::make_unique<MyPool>("my-pool-3"));
  CHECK_THROWS_WITH_AS(device("my-pool-4"), doctest::Contains("my-pool-3"), DeviceError);
  CHECK(added_devices().back() == "my-pool-3");
  set_device_threads(2);
  CHECK(static_cast<MyPool&>(device("my-pool-3")).threads() == 2);
}

// Products of matrices on the CPU against the reference: every way that gemm and linear_forward can
// go, at sizes around the edges of tiles, passes and blocks.
#include "core/algebra.h"
#include "core/describe.h"
#include "cpu_check.h"
#include "layers/activation.h"
#include "layers/linear.h"
#include "models/initialize.h"

using namespace limulus;
using namespace limulus::cpu_check;

namespace {

template <class T>
void check_gemm(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t beyond = 3) {
  for (const bool trans_a : {false, true})
    for (const bool trans_b : {false, true})
      for (const int beta : {0, 1}) {
        GemmShape s{m, n, k, trans_a, trans_b, 0, 0, n + beyond, beta};
        s.lda = (trans_a ? m : k) + beyond;
        s.ldb = (trans_b ? k : n) + beyond;
        Guarded<T> a(numbers((trans_a ? k : m) * s.lda, 1)),
            b(numbers((trans_b ? n : k) * s.ldb, 2));
        // Where C is not read it may hold anything, and what lies between its rows is not touched.
        Guarded<T> c(numbers(m * s.ldc, 3));
        if (beta == 0)
          for (std::int64_t i = 0; i < m; ++i)
            for (std::int64_t j = 0; j < n; ++j) c.get()[i * s.ldc + j] = T(nan_value);
        check<T>(
            "gemm " + describe(s), {{c}, {}},
            [&](Backend& backend, Outputs<T>& out) {
              backend.gemm(dtype_of<T>, s, a.get(), b.get(), out.real[0].get());
            },
            8);
      }
}

template <class T>
void check_linear(const LinearShape& s, bool with_bias) {
  Guarded<T> x(numbers(s.n * s.in, 1)), w(numbers(s.out * s.in, 2)), b(numbers(s.out, 3));
  check<T>(
      "linear " + describe(s), {{Guarded<T>(size(s.n * s.out))}, {}},
      [&](Backend& backend, Outputs<T>& out) {
        backend.linear_forward(dtype_of<T>, s, x.get(), w.get(), with_bias ? b.get() : nullptr,
                               out.real[0].get());
      },
      8);
}

}  // namespace

TEST_CASE_TEMPLATE("gemm: edges of tiles, transposed and not, stored apart", T, float, double) {
  for (const std::int64_t m : {1, 2, 5, 15, 33})
    for (const std::int64_t n : {1, 3, 4, 17, 31, 65})
      for (const std::int64_t k : {0, 1, 7, 130}) check_gemm<T>(m, n, k);
}

TEST_CASE_TEMPLATE("gemm: several passes, blocks and tasks", T, float, double) {
  check_gemm<T>(67, 515, 389);   // few rows: B transposed is read in place
  check_gemm<T>(300, 129, 515);  // more
  check_gemm<T>(3, 700, 1100);   // inner products with rows of B,
  check_gemm<T>(500, 2, 900);    // and of A
  check_gemm<T>(190, 530, 40, 0);
}

TEST_CASE_TEMPLATE("linear: every size of batch, bias and relu", T, float, double) {
  for (const std::int64_t n : {0, 1, 2, 3, 4, 5, 8, 9, 16, 17, 31, 32, 33, 65})
    for (const std::int64_t in : {1, 15, 16, 33, 257, 515})
      for (const std::int64_t out : {1, 5, 49, 67}) {
        check_linear<T>({n, in, out, true}, true);
        check_linear<T>({n, in, out, false}, n % 2 == 0);
      }
  check_linear<T>({257, 70, 90, true}, true);  // one more than are read in place
  check_linear<T>({1, 1030, 400, true}, true);
  check_linear<T>({6, 0, 9, true}, true);  // nothing but the bias
}

TEST_CASE("linear: weights stored as bf16 are those weights, rounded") {
  for (const std::int64_t n : {1, 2, 4, 5, 32, 37, 300})
    for (const std::int64_t in : {1, 17, 300})
      for (const std::int64_t out : {1, 50}) {
        LinearShape s{n, in, out, true};
        Guarded<float> x(numbers(n * in, 1)), b(numbers(out, 3));
        std::vector<Bf16> stored;
        std::vector<double> rounded;
        for (const double v : numbers(out * in, 2)) {
          stored.push_back(round_to_bf16(static_cast<float>(v)));
          rounded.push_back(widen(stored.back()));
        }
        Guarded<float> w(rounded);
        check<float>(
            "linear of bf16 " + describe(s), {{Guarded<float>(size(n * out))}, {}},
            [&](Backend& backend, Outputs<float>& y) {
              const bool judge = backend.name() != "cpu";
              s.weights = judge ? DType::f32 : DType::bf16;
              const void* weights = stored.data();
              if (judge) weights = w.get();
              backend.linear_forward(DType::f32, s, x.get(), weights, b.get(), y.real[0].get());
            },
            8);
      }
}

TEST_CASE("linear: who cannot read bf16 says so") {
  const LinearShape s{1, 2, 1, false, DType::bf16};
  double x[2] = {1, 1}, y = 0;
  const Bf16 w[2] = {};
  ReferenceBackend reference;
  CHECK_THROWS_WITH_AS(reference.linear_forward(DType::f32, s, x, w, nullptr, &y),
                       "linear: backend reference cannot read weights stored as bf16; use the "
                       "device \"cpu\" on a processor with AVX2, or weights in f32",
                       DeviceError);
  if (cpu_instruction_set().empty()) return;
  CpuBackend cpu(1);
  CHECK_THROWS_WITH_AS(cpu.linear_forward(DType::f64, s, x, w, nullptr, &y),
                       "linear: weights stored as bf16 multiply inputs in f32, not in f64",
                       DTypeError);
  CHECK_THROWS_WITH_AS(cpu.unary(DType::bf16, UnaryOp::exp, 1, w, &y),
                       "exp: arithmetic is done in f32 or f64, not in bf16", DTypeError);
}

TEST_CASE("rounding to bf16: nearest, ties to even, infinity and NaN") {
  CHECK(widen(round_to_bf16(1.0f)) == 1.0f);
  CHECK(widen(round_to_bf16(-0.15625f)) == -0.15625f);
  CHECK(widen(round_to_bf16(1.0f + 0x1p-8f)) == 1.0f);              // half way: to the even one,
  CHECK(widen(round_to_bf16(1.0f + 3 * 0x1p-8f)) == 1 + 0x1p-6f);   // which may lie above
  CHECK(widen(round_to_bf16(1.0f + 0x1.02p-8f)) == 1 + 0x1p-7f);    // just above half way
  CHECK(widen(round_to_bf16(3.4e38f)) == static_cast<float>(inf));  // beyond the largest
  CHECK(widen(round_to_bf16(static_cast<float>(-inf))) == static_cast<float>(-inf));
  CHECK(std::isnan(widen(round_to_bf16(static_cast<float>(nan_value)))));
  for (const double v : numbers(1000, 5, 1e3)) {
    const auto x = static_cast<float>(v);
    CHECK(std::abs(widen(round_to_bf16(x)) - x) <= std::abs(x) * 0x1p-8f);
  }
}

TEST_CASE("a network whose Linear weights are stored as bf16") {
  if (cpu_instruction_set().empty()) {
    MESSAGE("skipped: this processor has no AVX2");
    return;
  }
  CpuBackend cpu(2);
  Sequential net;
  net.add<Linear>("fc1", 70, 50, cpu).add<ReLU>("relu").add<Linear>("fc2", 50, 9, cpu);
  initialize(net, Recipe::pytorch, 1);
  std::vector<float> values;
  for (const double v : numbers(6 * 70, 1)) values.push_back(static_cast<float>(v));
  const Tensor x = Tensor::from(values, {6, 70}, cpu);

  Tensor expected, close;
  {  // rounded by hand, computed in f32
    const NoGrad no_grad;
    close = net(x);
    Tensor h = x;
    for (const auto& [name, p] : net.parameters()) {
      if (p.shape().rank() == 1)
        h = (name == "fc1.bias") ? relu(h + p) : h + p;
      else
        h = linear(h, p.to_dtype(DType::bf16).to_dtype(DType::f32), Tensor());
    }
    expected = h;
  }
  store_linear_weights(net, DType::f32);
  CHECK(net.parameters()[0].second.dtype() == DType::f32);
  store_linear_weights(net, DType::bf16);
  store_linear_weights(net, DType::bf16);  // once is enough
  CHECK(net.parameters()[0].second.dtype() == DType::bf16);
  CHECK(net.parameters()[0].second.bytes() == 2 * 70 * 50);
  CHECK(!net.parameters()[0].second.requires_grad());
  CHECK(net.parameters()[1].second.dtype() == DType::f32);

  const NoGrad no_grad;
  const std::vector<double> got = net(x).to_doubles(), wanted = expected.to_doubles();
  const std::vector<double> exact = close.to_doubles();
  for (std::size_t i = 0; i < got.size(); ++i) {
    CHECK(got[i] == doctest::Approx(wanted[i]).epsilon(1e-5));
    CHECK(std::abs(got[i] - exact[i]) < 0.02);
  }
}

TEST_CASE("weights stored as bf16 refuse what they are not for") {
  if (cpu_instruction_set().empty()) {
    MESSAGE("skipped: this processor has no AVX2");
    return;
  }
  CpuBackend cpu(1);
  Sequential net;
  net.add<Linear>("fc", 3, 2, cpu);
  store_linear_weights(net, DType::bf16);
  const Tensor x = Tensor::zeros({1, 3}, DType::f32, cpu);
  CHECK_THROWS_WITH_AS(net(x),
                       "linear: the weight is stored as bf16, for inference: no gradient passes "
                       "through it; train with weights in f32, or run this under NoGrad",
                       GraphError);
  const NoGrad no_grad;
  CHECK(net(x).to_doubles() == std::vector<double>{0, 0});
  CHECK_THROWS_WITH_AS(net(x.to_dtype(DType::f64)),
                       "linear: weights stored as bf16 multiply inputs in f32, not in f64",
                       DTypeError);
  Tensor w = net.parameters()[0].second;
  CHECK_THROWS_WITH_AS(w.set_requires_grad(),
                       "set_requires_grad: only f32 and f64 have gradients, not bf16", DTypeError);
  CHECK_THROWS_WITH_AS(w.store_as_bf16_(), "store_as_bf16_: only f32 can be stored so, not bf16",
                       DTypeError);
  CHECK_THROWS_AS(exp(w), DTypeError);
  CHECK_THROWS_WITH_AS(store_linear_weights(net, DType::f64),
                       "store_linear_weights: weights can be stored as f32 or bf16, not f64",
                       DTypeError);
}

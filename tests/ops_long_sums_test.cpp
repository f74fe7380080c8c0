// Sums of up to a million positive terms are right to 64 units of the last place, whoever sums: f32
// on every backend, beside the reference in double. Terms that are all equal are the hard case:
// each addition rounds the same way. Added one by one, 2304 times 0.1 miss the sum by 157 units of
// the last place, so a few thousand terms tell where each sum is one thread's alone; where many
// lanes share one, it takes a million.
#include "primitive_calls.h"

using namespace limulus;

namespace {

constexpr std::int64_t million = 1'000'000;

std::vector<double> terms(std::int64_t n, double all) {
  return std::vector<double>(count_of(n), static_cast<float>(all));
}

void check_sums(const PrimitiveCall& call, double most = 64) {
  ReferenceBackend reference;
  const auto exact = results(call, DType::f64, reference);
  for (const auto& backend : all_backends(true)) {
    const auto got = results(call, DType::f32, *backend);
    double worst = 0;
    for (std::size_t a = 0; a < got.size(); ++a)
      for (std::size_t i = 0; i < got[a].size(); ++i) {
        // A sum of nothing is 0, exactly.
        const double size = exact[a][i] == 0 ? 1e-30 : std::abs(exact[a][i]);
        const double error = std::abs(got[a][i] - exact[a][i]) / size;
        worst = std::isnan(error) ? INFINITY : std::max(worst, error);
      }
    const double eps = std::numeric_limits<float>::epsilon();
    CHECK_MESSAGE(worst <= most * eps,
                  call.name << " on " << backend->name() << ": " << worst / eps << " eps");
  }
}

const double values[] = {0.1, 1.1};

Window1d axis(std::int64_t in, std::int64_t kernel, std::int64_t stride = 1, std::int64_t pad = 0) {
  return Window1d::make(in, kernel, stride, pad, 1, false, "test", "axis");
}

}  // namespace

TEST_CASE("matrices: gemm by every way, and linear") {
  for (const double v : values) {
    const auto gemm = [&](std::int64_t m, std::int64_t n, std::int64_t k, bool ta, bool tb) {
      GemmShape s{m, n, k, ta, tb};
      s.lda = ta ? m : k;
      s.ldb = tb ? k : n;
      s.ldc = n;
      check_sums({"gemm",
                  {in(terms(m * k, v)), in(terms(k * n, v)), out(m * n)},
                  [s](Backend& b, DType t, const auto& a) { b.gemm(t, s, a[0], a[1], a[2]); }});
    };
    gemm(1, 1, million, false, true);
    gemm(5, 6, 200'000, false, true);
    gemm(2, 3, 300'000, true, false);
    gemm(3, 2, 300'000, false, false);
    for (const std::int64_t n : {1, 3, 6, 300})
      for (const std::int64_t k : {2304, 9216, 200'000}) {
        if (n * k > 4 * million) continue;
        const LinearShape s{n, k, 2};
        check_sums({"linear",
                    {in(terms(n * k, v)), in(terms(2 * k, v)), in({1, 2}), out(2 * n)},
                    [s](Backend& b, DType t, const auto& a) {
                      b.linear_forward(t, s, a[0], a[1], a[2], a[3]);
                    }});
      }
  }
}

TEST_CASE("convolution: many channels, many filters, many positions, wide windows") {
  for (const double v : values) {
    const auto conv = [&](const Conv2dShape& s, bool forward, bool input, bool weight) {
      const std::int64_t xs = s.n * s.c * s.window.h.in * s.window.w.in;
      const std::int64_t ys = s.n * s.k * s.window.h.out * s.window.w.out;
      const std::int64_t ws = s.k * s.c * s.window.h.kernel * s.window.w.kernel;
      const auto sums = [&](const char* name, std::int64_t a, std::int64_t b, std::int64_t c,
                            auto primitive) {
        check_sums({name,
                    {in(terms(a, v)), in(terms(b, v)), out(c)},
                    [=](Backend& backend, DType t, const auto& arrays) {
                      (backend.*primitive)(t, s, arrays[0], arrays[1], arrays[2]);
                    }});
      };
      if (forward)
        check_sums({"conv2d_forward",
                    {in(terms(xs, v)), in(terms(ws, v)), out(ys)},
                    [s](Backend& b, DType t, const auto& a) {
                      b.conv2d_forward(t, s, a[0], a[1], nullptr, a[2]);
                    }});
      if (input) sums("conv2d_backward_input", ys, ws, xs, &Backend::conv2d_backward_input);
      if (weight) sums("conv2d_backward_weight", xs, ys, ws, &Backend::conv2d_backward_weight);
    };
    conv({1, 400'000, 1, 1, {axis(1, 1), axis(2, 1)}}, true, false, false);
    conv({1, 1, 400'000, 1, {axis(2, 1), axis(1, 1)}}, false, true, false);
    conv({1, 1, 1, 1, {axis(1, 1), axis(5000, 2500)}}, true, true, true);
    conv({1, 1, 1, 1, {axis(1, 1), axis(5000, 2499, 3)}}, true, true, true);
    conv({3, 1, 2, 1, {axis(600, 1), axis(600, 1)}}, false, false, true);
    conv({2000, 2, 2, 1, {axis(24, 2), axis(24, 2)}}, false, false, true);
    const Conv2dShape s{2, 1, 2, 1, {axis(1000, 1), axis(500, 1)}};
    check_sums(
        {"conv2d_backward_bias",
         {in(terms(2 * million, v)), out(2)},
         [s](Backend& b, DType t, const auto& a) { b.conv2d_backward_bias(t, s, a[0], a[1]); }});
  }
}

TEST_CASE("reductions, softmax and cross-entropy over a million") {
  for (const double v : values) {
    for (const auto& [outer, len, inner] :
         {std::array<std::int64_t, 3>{1, million, 1}, {2, 500'000, 2}, {3, 9216, 1}, {1, 9216, 40}})
      check_sums({"reduce",
                  {in(terms(outer * len * inner, v)), out(outer * inner)},
                  [=](Backend& b, DType t, const auto& a) {
                    b.reduce(t, ReduceOp::sum, outer, len, inner, a[0], a[1]);
                  }});
    check_sums(
        {"softmax", {in(terms(million, v)), out(million)}, [](Backend& b, DType t, const auto& a) {
           b.softmax_forward(t, 1, million, a[0], a[1]);
         }});
    check_sums({"cross_entropy",
                {in(terms(million, v)), of_type(DType::i64, in({3})), out(million), out(1)},
                [](Backend& b, DType t, const auto& a) {
                  b.cross_entropy_forward(t, 1, million, a[0], a[1], a[2], a[3]);
                }});
  }
  // dx = y (dy - sum of dy y): with y = 1 / cols and dy = 1 the sum is 1, and dx what it misses by.
  const PrimitiveCall call{
      "",
      {in(std::vector<double>(count_of(1 << 20), 0x1p-20)), in(terms(1 << 20, 0.1)), out(1 << 20)},
      [](Backend& b, DType t, const auto& a) {
        b.softmax_backward(t, 1, 1 << 20, a[0], a[1], a[2]);
      }};
  for (const auto& backend : all_backends(true)) {
    const auto outputs = results(call, DType::f32, *backend);
    for (const double dx : outputs[0])
      if (!(std::abs(dx) <= 64 * 0.1 * 0x1p-23 * 0x1p-20)) {
        FAIL_CHECK("softmax_backward on " << backend->name() << ": " << dx);
        break;
      }
  }
}

TEST_CASE("pooling over huge windows, and an element in many of them") {
  for (const double v : values) {
    const auto pool = [&](const Pool2dShape& s) {
      const std::int64_t ins = s.n * s.c * s.window.h.in * s.window.w.in;
      const std::int64_t outs = s.n * s.c * s.window.h.out * s.window.w.out;
      check_sums(
          {"avg_pool2d_forward",
           {in(terms(ins, v)), out(outs)},
           [s](Backend& b, DType t, const auto& a) { b.avg_pool2d_forward(t, s, a[0], a[1]); }});
      if (outs > 100)
        check_sums(
            {"avg_pool2d_backward",
             {in(terms(outs, v)), out(ins)},
             [s](Backend& b, DType t, const auto& a) { b.avg_pool2d_backward(t, s, a[0], a[1]); }});
    };
    pool({1, 1, {axis(1000, 1000), axis(1000, 1000)}});
    pool({1, 1, {axis(60, 41), axis(70, 43)}});
    pool({1, 2, {axis(1, 1), axis(3000, 1001, 1, 500)}});
    // All windows choose the same element.
    const Pool2dShape s{1, 1, {axis(99, 50), axis(99, 50)}};
    check_sums({"max_pool2d_backward",
                {in(terms(2500, v)),
                 of_type(DType::i32, in(std::vector<double>(2500, 49 * 99 + 49))), out(99 * 99)},
                [s](Backend& b, DType t, const auto& a) {
                  b.fill(t, 99 * 99, 1, a[2]);
                  b.max_pool2d_backward(t, s, a[0], a[1], a[2]);
                  b.affine(t, 99 * 99, 1, 1, a[2], a[2]);  // no 0 to divide by
                }});
  }
}

TEST_CASE("normalization over wide windows") {
  for (const double v : values)
    for (const bool within : {false, true}) {
      const LrnShape s = within ? LrnShape{1, 1, 40, 60, 1001, 1e-3, 0.5, 1}
                                : LrnShape{1, 3000, 1, 3, 2001, 1e-3, 0.5, 1};
      const std::int64_t n = s.c * s.h * s.w;
      check_sums(
          {"lrn_forward", {in(terms(n, v)), out(n)}, [=](Backend& b, DType t, const auto& a) {
             within ? b.lrn_within_forward(t, s, a[0], a[1])
                    : b.lrn_across_forward(t, s, a[0], a[1]);
           }});
    }
}

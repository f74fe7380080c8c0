// Local response normalization for numbers far from 1: y and dx are right to 1e-6 although s^(-beta
// - 1) and dy x are no floats; up to 1e12 on every device (1e14 with dy of about 1), and on the
// processor up to the largest float.
#include "primitive_calls.h"

using namespace limulus;

namespace {

struct Row {
  LrnShape s;
  double x, dy;  // sizes of the numbers
};

std::vector<double> sized(std::int64_t n, double size, std::uint64_t seed) {
  std::vector<double> v = some_numbers(n, seed);
  for (double& x : v) x = static_cast<float>(size * (x < 0 ? x - 0.5 : x + 0.5) / 1.5);
  return v;
}

void check_row(Backend& backend, const Row& row) {
  const LrnShape& s = row.s;
  const std::int64_t n = s.n * s.c * s.h * s.w;
  const Pool2dShape pool{s.n,
                         s.c,
                         {Window1d::make(s.h, 3, 2, 0, 1, false, "test", "height"),
                          Window1d::make(s.w, 3, 2, 0, 1, false, "test", "width")}};
  const std::int64_t outs = s.n * s.c * pool.window.h.out * pool.window.w.out;
  const PrimitiveCall call{
      "",
      {in(sized(n, row.x, 1)), in(sized(n, row.dy, 2)), out(n), out(n), out(n), out(n), out(outs)},
      [=](Backend& b, DType t, const auto& a) {
        b.lrn_across_forward(t, s, a[0], a[2]);
        b.lrn_across_backward(t, s, a[0], a[1], a[3]);
        b.lrn_within_forward(t, s, a[0], a[4]);
        b.lrn_within_backward(t, s, a[0], a[1], a[5]);
        b.lrn_across_max_pool2d_forward(t, s, pool, a[0], a[6], nullptr);
      }};
  ReferenceBackend reference;
  const auto exact = results(call, DType::f64, reference), got = results(call, DType::f32, backend);
  for (std::size_t a = 0; a < got.size(); ++a) {
    double squares = 0;
    for (const double e : exact[a]) squares += e * e / static_cast<double>(exact[a].size());
    for (std::size_t i = 0; i < got[a].size(); ++i) {
      const double error = std::abs(got[a][i] - exact[a][i]);
      // Below the smallest normal float there are fewer digits to be right.
      if (error <= 1e-6 * std::max(std::abs(exact[a][i]), std::sqrt(squares)) + 2e-44) continue;
      FAIL_CHECK("result " << a << "[" << i << "] on " << backend.name() << ", |x| " << row.x
                           << ", dy " << row.dy << ", beta " << s.beta << ", size " << s.size
                           << ", k " << s.k << ", alpha " << s.alpha << ": " << got[a][i]
                           << " instead of " << exact[a][i]);
      break;
    }
  }
}

}  // namespace

TEST_CASE("large and small numbers, on every backend") {
  for (const auto& backend : all_backends(true))
    for (const double size : {1e-30, 1e-10, 1e-3, 1.0, 1e3, 1e6, 1e9, 1e12, 1e13, 1e14})
      for (const double alpha : {1.0, 1e-4})
        for (const std::int64_t window : {5, 3, 4}) {
          check_row(*backend, {{1, 11, 5, 7, window, alpha, 0.75, 2}, size, 1});
          if (backend->host_memory() || size <= 1e12)  // what is small as well ends a float's range
            check_row(*backend, {{1, 11, 5, 7, window, alpha, 0.75, 1}, size, 1e-3});
        }
}

TEST_CASE("overflow of dy x, where the result is a number") {
  for (const auto& backend : all_backends(true))
    for (const double alpha : {1.0, 1e-4})
      for (const std::int64_t window : {5, 3})
        check_row(*backend, {{1, 11, 5, 7, window, alpha, 0.75, 2}, 1e10, 1e30});
}

TEST_CASE("up to the largest float on the processor, for any beta and k") {
  for (const auto& backend : all_backends(true)) {
    if (!backend->host_memory()) continue;
    for (const double size : {1e-25, 1.0, 1e8, 1e15, 1e19, 1e30, 3e38})
      for (const double beta : {0.75, 0.5, 1.0, 0.6})
        for (const std::int64_t window : {5, 3})
          for (const double k : {2.0, 1e-12, 1e-35})
            check_row(*backend, {{1, 11, 5, 7, window, 1, beta, k}, size, size < 1 ? 1e-20 : 1.0});
    check_row(*backend, {{1, 11, 5, 7, 5, 0, 0.75, 2}, 1e20, 1});  // alpha 0
    check_row(*backend, {{3, 200, 9, 11, 5, 1, 0.75, 2}, 1e16, 1});
  }
}

TEST_CASE("one large number changes what its windows hold, and the threads do not change a bit") {
  LrnShape s{2, 40, 30, 31, 5, 1e-4, 0.75, 2};
  const std::int64_t n = s.n * s.c * s.h * s.w;
  std::vector<double> x = some_numbers(n);
  x[count_of(n / 3)] = 1e25;
  const PrimitiveCall call{
      "", {in(x), in(some_numbers(n, 2)), out(n), out(n)}, [=](Backend& b, DType t, const auto& a) {
        b.lrn_across_forward(t, s, a[0], a[2]);
        b.lrn_across_backward(t, s, a[0], a[1], a[3]);
      }};
  ReferenceBackend reference;
  const auto exact = results(call, DType::f64, reference);
  for (const std::string& isa : cpu_instruction_sets()) {
    if (!cpu_supports(isa)) continue;
    CpuBackend alone(1, "cpu", isa), three(3, "cpu", isa);
    const auto got = results(call, DType::f32, alone);
    check_close(isa, got, exact, 1e-6);
    CHECK(results(call, DType::f32, three) == got);
  }
}

// The CPU backend's kernels that are not matrix products or convolutions, against the reference:
// both instruction sets, float and double, sizes that no vector width divides, one to three
// threads with the same bits, and guard values around every output.
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "backends/cpu/cpu_backend.h"
#include "backends/reference/reference_backend.h"
#include "core/error.h"
#include "doctest/doctest.h"

using namespace limulus;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

// A small generator of the test's own: numbers in [-1, 1), always the same.
std::vector<double> numbers(std::int64_t n, std::uint64_t seed, double scale = 1) {
  std::vector<double> v(static_cast<std::size_t>(n));
  std::uint64_t state = seed * 2862933555777941757u + 3037000493u;
  for (double& x : v) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    x = scale * (static_cast<double>(state >> 11) * 0x1p-52 - 1);
  }
  return v;
}

// An array of T with 64 guard elements at both ends, that begins `shift` elements past a cache
// line.
template <class T>
struct Guarded {
  static constexpr std::size_t guard = 64;
  std::vector<T> data;
  std::size_t n;

  explicit Guarded(std::size_t size, T value = T(-77)) : data(size + 2 * guard, value), n(size) {}
  Guarded(const std::vector<double>& v) : Guarded(v.size()) {  // NOLINT: for brevity
    for (std::size_t i = 0; i < n; ++i) data[guard + i] = static_cast<T>(v[i]);
  }
  T* get() { return data.data() + guard; }
  bool intact() const {
    for (std::size_t i = 0; i < guard; ++i)
      if (data[i] != T(-77) || data[guard + n + i] != T(-77)) return false;
    return true;
  }
};

bool same_bits(const void* a, const void* b, std::size_t bytes) {
  return std::memcmp(a, b, bytes) == 0;
}

template <class T>
void compare(const std::string& what, Guarded<T>& got, Guarded<T>& expected, double tolerance) {
  double worst = 0;
  std::size_t where = 0;
  for (std::size_t i = 0; i < got.n; ++i) {
    const double g = got.get()[i], e = expected.get()[i];
    double error = 0;
    if (std::isnan(e) || std::isinf(e))
      error = (std::isnan(e) && std::isnan(g)) || g == e ? 0 : inf;
    else
      error = std::abs(g - e) / (1 + std::abs(e));
    if (!(error <= worst)) worst = error, where = i;
  }
  INFO(what, ", element ", where, ": ", got.get()[where], " instead of ", expected.get()[where]);
  CHECK(worst <= tolerance);
}

// Runs `call` on the reference, then on each instruction set with 1, 2 and 3 threads.
template <class T>
struct Outputs {
  std::vector<Guarded<T>> real;
  std::vector<Guarded<std::int32_t>> index;
};
template <class T>
void check(const std::string& what, const Outputs<T>& initial,
           const std::function<void(Backend&, Outputs<T>&)>& call, double slack = 1) {
  ReferenceBackend reference;
  Outputs<T> expected = initial;
  call(reference, expected);
  const double tolerance = slack * (sizeof(T) == 4 ? 2e-6 : 4e-15);
  for (const char* isa : {"avx2", "avx512"}) {
    if (!cpu_supports(isa)) {
      MESSAGE("skipped: this processor has no ", isa);
      continue;
    }
    Outputs<T> first;
    for (int threads = 1; threads <= 3; ++threads) {
      CpuBackend cpu(threads, "cpu", isa);
      Outputs<T> got = initial;
      call(cpu, got);
      const std::string name = what + ", " + isa + (sizeof(T) == 4 ? ", f32" : ", f64");
      INFO(name, ", ", threads, " threads");
      for (auto& array : got.real) CHECK(array.intact());
      for (auto& array : got.index) CHECK(array.intact());
      if (threads == 1) {
        first = got;
        for (std::size_t i = 0; i < got.real.size(); ++i)
          compare(name, got.real[i], expected.real[i], tolerance);
        for (std::size_t i = 0; i < got.index.size(); ++i)
          CHECK(got.index[i].data == expected.index[i].data);
        continue;
      }
      for (std::size_t i = 0; i < got.real.size(); ++i)
        CHECK(same_bits(got.real[i].data.data(), first.real[i].data.data(),
                        got.real[i].data.size() * sizeof(T)));
      for (std::size_t i = 0; i < got.index.size(); ++i)
        CHECK(got.index[i].data == first.index[i].data);
    }
  }
}

std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

// Lengths around every vector width, and two that need several tasks.
const std::int64_t lengths[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65, 1000, 70001};

Window1d window(std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t pad,
                std::int64_t dilation = 1, bool ceil = false) {
  return Window1d::make(in, kernel, stride, pad, dilation, ceil, "test", "axis");
}

}  // namespace

TEST_CASE_TEMPLATE("unary functions and their gradients", T, float, double) {
  const UnaryOp ops[] = {UnaryOp::neg,  UnaryOp::exp,     UnaryOp::log,
                         UnaryOp::sqrt, UnaryOp::square,  UnaryOp::abs,
                         UnaryOp::relu, UnaryOp::sigmoid, UnaryOp::tanh};
  for (const UnaryOp op : ops) {
    for (const std::int64_t n : lengths) {
      std::vector<double> v = numbers(n, 1, 3);
      const bool positive = op == UnaryOp::log || op == UnaryOp::sqrt;
      if (positive)
        for (double& a : v) a = std::abs(a) + 0.01;
      Guarded<T> x(v), dy(numbers(n, 2));
      ReferenceBackend reference;
      Guarded<T> y(size(n));
      reference.unary(dtype_of<T>, op, n, x.get(), y.get());
      check<T>(name_of(op), {{Guarded<T>(size(n)), Guarded<T>(size(n))}, {}},
               [&](Backend& b, Outputs<T>& out) {
                 b.unary(dtype_of<T>, op, n, x.get(), out.real[0].get());
                 b.unary_backward(dtype_of<T>, op, n, x.get(), y.get(), dy.get(),
                                  out.real[1].get());
               });
      check<T>(std::string(name_of(op)) + " in place", {{x, dy}, {}},
               [&](Backend& b, Outputs<T>& out) {
                 b.unary_backward(dtype_of<T>, op, n, x.get(), y.get(), out.real[1].get(),
                                  out.real[1].get());
                 b.unary(dtype_of<T>, op, n, out.real[0].get(), out.real[0].get());
               });
    }
  }
}

TEST_CASE_TEMPLATE("unary functions at the edges of their range", T, float, double) {
  const double big = std::numeric_limits<T>::max(), tiny = std::numeric_limits<T>::denorm_min(),
               least = std::numeric_limits<T>::min();
  const std::vector<double> v = {0.0,  -0.0,  1,      -1,    inf,  -inf, nan_value, big,
                                 -big, tiny,  -tiny,  least, 88.7, 88.8, -87.3,     -103.9,
                                 -104, 709.7, 709.79, -745,  -746, 1e-5, -1e-5,     0.5 * least};
  const std::int64_t n = static_cast<std::int64_t>(v.size());
  for (const UnaryOp op : {UnaryOp::neg, UnaryOp::exp, UnaryOp::log, UnaryOp::sqrt, UnaryOp::abs,
                           UnaryOp::relu, UnaryOp::sigmoid, UnaryOp::tanh}) {
    Guarded<T> x(v);
    check<T>(name_of(op), {{Guarded<T>(v.size())}, {}}, [&](Backend& b, Outputs<T>& out) {
      b.unary(dtype_of<T>, op, n, x.get(), out.real[0].get());
    });
  }
}

// Relative accuracy over all magnitudes: the gradient checks in double run through these.
TEST_CASE_TEMPLATE("exp, log, tanh and sigmoid are within a few units of the last place", T, float,
                   double) {
  const double top = sizeof(T) == 4 ? 85 : 700;
  std::vector<double> v;
  for (const double r : numbers(20000, 5)) v.push_back(r * top);
  for (const double r : numbers(20000, 6)) v.push_back(std::exp(r * top) * (r < 0 ? -1 : 1));
  for (const double r : numbers(20000, 7)) v.push_back(1 + r * 1e-2);
  for (const double r : numbers(20000, 8)) v.push_back(r * 5);
  const std::int64_t n = static_cast<std::int64_t>(v.size());
  Guarded<T> x(v);
  for (const char* isa : {"avx2", "avx512"}) {
    if (!cpu_supports(isa)) continue;
    CpuBackend cpu(1, "cpu", isa);
    for (const UnaryOp op : {UnaryOp::exp, UnaryOp::log, UnaryOp::sigmoid, UnaryOp::tanh}) {
      Guarded<T> y(v.size());
      cpu.unary(dtype_of<T>, op, n, x.get(), y.get());
      long double worst = 0;
      T where = 0;
      for (std::size_t i = 0; i < v.size(); ++i) {
        const long double a = x.get()[i];
        if (op == UnaryOp::log && a <= 0) continue;
        const long double e = op == UnaryOp::exp       ? std::exp(a)
                              : op == UnaryOp::log     ? std::log(a)
                              : op == UnaryOp::sigmoid ? 1 / (1 + std::exp(-a))
                                                       : std::tanh(a);
        if (std::abs(e) < std::numeric_limits<T>::min() ||
            std::abs(e) > std::numeric_limits<T>::max())
          continue;
        const long double error =
            std::abs(y.get()[i] - e) / std::abs(e) / std::numeric_limits<T>::epsilon();
        if (!(error <= worst)) worst = error, where = x.get()[i];
      }
      INFO(name_of(op), " ", isa, " at ", where);
      CHECK(static_cast<double>(worst) < 2.5);
    }
  }
}

TEST_CASE_TEMPLATE("affine, accumulate, fill, dropout and sgd_step", T, float, double) {
  for (const std::int64_t n : lengths) {
    Guarded<T> x(numbers(n, 1)), v(numbers(n, 2)), w(numbers(n, 3));
    check<T>(
        "vector", {{x, x, x, Guarded<T>(size(n)), Guarded<T>(size(n))}, {}},
        [&](Backend& b, Outputs<T>& out) {
          b.affine(dtype_of<T>, n, 1.7, -0.3, x.get(), out.real[0].get());
          b.accumulate(dtype_of<T>, n, v.get(), out.real[1].get());
          b.fill(dtype_of<T>, n, 0.1, out.real[2].get());
          b.dropout(dtype_of<T>, n, 0.3, {123456789012345u, 99u << 20}, x.get(), out.real[3].get());
          b.dropout(dtype_of<T>, n, 0, {1, 2}, x.get(), out.real[4].get());
        });
    for (const SgdRule rule : {SgdRule::paper, SgdRule::pytorch})
      check<T>("sgd_step", {{w, v}, {}}, [&](Backend& b, Outputs<T>& out) {
        b.sgd_step(dtype_of<T>, {n, 0.1, 0.9, 0.02, rule}, out.real[0].get(), x.get(),
                   out.real[1].get());
      });
  }
}

TEST_CASE_TEMPLATE("binary operations broadcast in every pattern", T, float, double) {
  struct Pattern {
    std::vector<std::int64_t> size, a, b;  // sizes and strides
  };
  const Pattern patterns[] = {
      {{}, {}, {}},
      {{1, 1}, {0, 0}, {0, 0}},
      {{70001}, {1}, {1}},
      {{33}, {0}, {1}},
      {{7, 0, 3}, {0, 3, 1}, {0, 3, 1}},
      {{5, 7, 9}, {63, 9, 1}, {0, 1, 0}},                 // a channel bias
      {{130, 37}, {37, 1}, {0, 1}},                       // a row for every row
      {{130, 37}, {1, 0}, {37, 1}},                       // a value for every row
      {{19, 23}, {0, 1}, {1, 0}},                         // an outer product
      {{3, 4, 5, 6}, {0, 30, 6, 1}, {120, 30, 0, 1}},     // axes that cannot be merged
      {{11, 13}, {1, 11}, {13, 1}},                       // a transpose
      {{2, 3, 1, 40000}, {0, 40000, 0, 1}, {1, 0, 0, 0}}  // long rows, cut into pieces
  };
  for (const Pattern& p : patterns) {
    BroadcastShape s;
    s.rank = static_cast<int>(p.size.size());
    std::int64_t n = 1;
    for (int i = 0; i < s.rank; ++i) {
      s.size[i] = p.size[size(i)];
      s.stride_a[i] = p.a[size(i)];
      s.stride_b[i] = p.b[size(i)];
      n *= s.size[i];
    }
    // Values on a coarse grid, so that max and min meet ties.
    std::vector<double> va = numbers(120001, 1, 4), vb = numbers(120001, 2, 4);
    for (double& v : va) v = std::round(v) + 0.5;
    for (double& v : vb) v = std::round(v) + 0.5;
    va[2] = nan_value;
    vb[1] = nan_value;
    Guarded<T> a(va), b(vb), dy(numbers(n, 3));
    for (const BinaryOp op : {BinaryOp::add, BinaryOp::sub, BinaryOp::mul, BinaryOp::div,
                              BinaryOp::max, BinaryOp::min}) {
      check<T>(name_of(op), {{Guarded<T>(size(n))}, {}}, [&](Backend& be, Outputs<T>& out) {
        be.binary(dtype_of<T>, op, s, a.get(), b.get(), out.real[0].get());
      });
      if (op != BinaryOp::max && op != BinaryOp::min) continue;
      check<T>("select_backward", {{dy, Guarded<T>(size(n))}, {}},
               [&](Backend& be, Outputs<T>& out) {
                 be.select_backward(dtype_of<T>, op, s, true, a.get(), b.get(), dy.get(),
                                    out.real[1].get());
                 be.select_backward(dtype_of<T>, op, s, false, a.get(), b.get(), out.real[0].get(),
                                    out.real[0].get());
               });
    }
  }
}

TEST_CASE_TEMPLATE("reductions over every axis", T, float, double) {
  struct Case {
    std::int64_t outer, len, inner;
  };
  const Case cases[] = {{1, 1, 1},      {3, 0, 2},      {0, 3, 2},    {3, 7, 1},     {1, 70001, 1},
                        {5, 8193, 1},   {4000, 10, 1},  {1, 128, 37}, {1, 1000, 10}, {7, 300, 9},
                        {2, 257, 1100}, {1, 300, 3000}, {500, 3, 50}};
  for (const auto& [outer, len, inner] : cases) {
    std::vector<double> v = numbers(outer * len * inner, 1);
    for (const bool with_nan : {false, true}) {
      if (with_nan && !v.empty()) v[v.size() / 2] = nan_value;
      Guarded<T> x(v);
      for (const ReduceOp op : {ReduceOp::sum, ReduceOp::max})
        check<T>(
            std::string(name_of(op)) + " " + std::to_string(len),
            {{Guarded<T>(size(outer * inner))}, {}},
            [&, o = outer, l = len, i = inner](Backend& b, Outputs<T>& out) {
              b.reduce(dtype_of<T>, op, o, l, i, x.get(), out.real[0].get());
            },
            10);
    }
  }
}

TEST_CASE_TEMPLATE("softmax and cross-entropy", T, float, double) {
  for (const std::int64_t rows : {0, 1, 3, 200})
    for (const std::int64_t cols : {1, 2, 5, 16, 17, 33, 1000}) {
      std::vector<double> v = numbers(rows * cols, 1, 20);
      if (rows == 3) v[0] = 1000, v[v.size() - 1] = -1000;  // exponentials that would overflow
      Guarded<T> x(v), dy(numbers(rows * cols, 2)), dloss(numbers(rows, 3));
      std::vector<std::int64_t> labels;
      for (std::int64_t r = 0; r < rows; ++r) labels.push_back(r * 7 % cols);
      const Guarded<T> full(size(rows * cols));
      check<T>("softmax " + std::to_string(cols),
               {{full, full, full, full, Guarded<T>(size(rows))}, {}},
               [&](Backend& b, Outputs<T>& out) {
                 b.softmax_forward(dtype_of<T>, rows, cols, x.get(), out.real[0].get());
                 b.softmax_backward(dtype_of<T>, rows, cols, out.real[0].get(), dy.get(),
                                    out.real[1].get());
                 b.cross_entropy_forward(dtype_of<T>, rows, cols, x.get(), labels.data(),
                                         out.real[2].get(), out.real[4].get());
                 b.cross_entropy_backward(dtype_of<T>, rows, cols, out.real[2].get(), labels.data(),
                                          dloss.get(), out.real[3].get());
               });
    }
}

TEST_CASE_TEMPLATE("local response normalization, across and within channels", T, float, double) {
  for (const std::int64_t n : {1, 3})
    for (const std::int64_t c : {1, 3, 9})
      for (const std::int64_t hw : {1, 5, 13, 37})
        for (const std::int64_t window_size : {1, 2, 3, 4, 5, 12})
          for (const double beta : {0.75, 0.6}) {
            const LrnShape s{n, c, hw, hw + 2, window_size, 0.9, beta, 1.5};
            const std::int64_t count = n * c * hw * (hw + 2);
            Guarded<T> x(numbers(count, 1, 2)), dy(numbers(count, 2));
            const Guarded<T> out_array(size(count));
            check<T>("lrn " + std::to_string(window_size),
                     {{out_array, out_array, out_array, out_array}, {}},
                     [&](Backend& b, Outputs<T>& out) {
                       b.lrn_across_forward(dtype_of<T>, s, x.get(), out.real[0].get());
                       b.lrn_across_backward(dtype_of<T>, s, x.get(), dy.get(), out.real[1].get());
                       b.lrn_within_forward(dtype_of<T>, s, x.get(), out.real[2].get());
                       b.lrn_within_backward(dtype_of<T>, s, x.get(), dy.get(), out.real[3].get());
                     });
          }
}

TEST_CASE_TEMPLATE("pooling", T, float, double) {
  const Window2d windows[] = {
      {window(55, 3, 2, 0), window(55, 3, 2, 0)},
      {window(13, 3, 2, 0), window(13, 3, 2, 0)},
      {window(9, 3, 2, 1), window(70, 3, 2, 1)},
      {window(24, 2, 2, 0), window(25, 2, 2, 0)},
      {window(7, 3, 1, 1), window(40, 3, 1, 1)},
      {window(10, 3, 2, 0, 1, true), window(36, 3, 2, 0, 1, true)},
      {window(11, 2, 3, 1), window(50, 4, 3, 2)},
      {window(12, 2, 2, 1, 3), window(41, 3, 2, 2, 2)},
      {window(6, 6, 1, 0), window(6, 6, 6, 0)},
      {window(6, 5, 2, 2, 1, true), window(8, 5, 4, 2, 1, true)},
      {window(2, 2, 1, 1, 3), window(2, 2, 1, 1, 3)},  // a window of padding only
  };
  for (const Window2d& win : windows)
    for (const bool include_pad : {false, true}) {
      if (win.h.in == 2 && !include_pad) continue;  // its mean is 0/0
      const Pool2dShape s{2, 7, win, include_pad};
      const std::int64_t in = 14 * win.h.in * win.w.in, out_count = 14 * win.h.out * win.w.out;
      std::vector<double> v = numbers(in, 1, 3);
      for (std::size_t i = 0; i < v.size(); ++i)
        if (i % 2 == 0) v[i] = std::round(v[i]);  // ties
      for (std::size_t i = 5; i < v.size(); i += 97) v[i] = nan_value;
      for (std::size_t i = 0; i < v.size() / 9; ++i) v[i] = -inf;
      std::vector<double> finite = numbers(in, 4);
      Guarded<T> x(v), x_finite(finite), dy(numbers(out_count, 2));
      const Guarded<T> y(size(out_count)), dx(size(in));
      check<T>(
          "max_pool2d " + win.w.formula(), {{y, dx}, {Guarded<std::int32_t>(size(out_count))}},
          [&](Backend& b, Outputs<T>& out) {
            b.max_pool2d_forward(dtype_of<T>, s, x.get(), out.real[0].get(), out.index[0].get());
            b.max_pool2d_backward(dtype_of<T>, s, dy.get(), out.index[0].get(), out.real[1].get());
          });
      check<T>("avg_pool2d " + win.w.formula(), {{y, dx}, {}}, [&](Backend& b, Outputs<T>& out) {
        b.avg_pool2d_forward(dtype_of<T>, s, x_finite.get(), out.real[0].get());
        b.avg_pool2d_backward(dtype_of<T>, s, dy.get(), out.real[1].get());
      });
    }
}

// Outputs of 16 MiB and more are streamed, from whatever address they begin at.
TEST_CASE("large outputs at odd addresses") {
  const std::int64_t c = 20, h = 700, w = 331, n = c * h * w;  // 18 MiB of float
  const LrnShape lrn{1, c, h, w, 5, 0.9, 0.75, 2};
  std::vector<float> x(size(n + 1), 0.5f), dy(size(n + 1), 0.25f);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] += static_cast<float>(i % 1013) * 1e-3f;
  ReferenceBackend reference;
  for (const char* isa : {"avx2", "avx512"}) {
    if (!cpu_supports(isa)) continue;
    CpuBackend cpu(2, "cpu", isa);
    const auto expect_equal = [&](const char* what, auto call) {
      std::vector<float> got(size(n + 2), -1), expected(size(n + 2), -1);
      call(cpu, got.data() + 1);
      call(reference, expected.data() + 1);
      float worst = 0;
      for (std::size_t i = 0; i < got.size(); ++i)
        worst = std::max(worst, std::abs(got[i] - expected[i]));
      INFO(what, " ", isa);
      CHECK(worst <= 1e-6f);
    };
    expect_equal("affine",
                 [&](Backend& b, float* y) { b.affine(DType::f32, n, 2, 1, x.data(), y); });
    expect_equal("bias", [&](Backend& b, float* y) {
      BroadcastShape s{2, {c, h * w}, {h * w, 1}, {1, 0}};
      b.binary(DType::f32, BinaryOp::add, s, x.data(), dy.data(), y);
    });
    expect_equal("lrn forward",
                 [&](Backend& b, float* y) { b.lrn_across_forward(DType::f32, lrn, x.data(), y); });
    expect_equal("lrn backward", [&](Backend& b, float* y) {
      b.lrn_across_backward(DType::f32, lrn, x.data(), dy.data(), y);
    });
  }
}

TEST_CASE("copy_block moves rows of any type") {
  ReferenceBackend reference;
  CpuBackend cpu(2);
  for (const std::int64_t cols : {0, 1, 7, 300000}) {
    const BlockShape s{3, cols, 5, cols + 3, 2, cols + 1};
    std::vector<std::int64_t> src(size(3 * cols + 20)), got(src.size(), -1),
        expected(src.size(), -1);
    for (std::size_t i = 0; i < src.size(); ++i) src[i] = static_cast<std::int64_t>(i);
    cpu.copy_block(DType::i64, s, src.data(), got.data());
    reference.copy_block(DType::i64, s, src.data(), expected.data());
    CHECK(got == expected);
  }
}

TEST_CASE("the backend refuses what it cannot do, and says why") {
  CHECK_THROWS_WITH_AS(CpuBackend(1, "cpu", "neon"), doctest::Contains("neon"), DeviceError);
  CpuBackend cpu(1);
  CHECK_THROWS_WITH_AS(cpu.set_threads(-1), doctest::Contains("-1 threads"), ValueError);
  CHECK_THROWS_WITH_AS(cpu.allocate(std::size_t{1} << 62), doctest::Contains("4611686018427387904"),
                       DeviceError);
  CHECK_THROWS_WITH_AS(cpu.fill(DType::i64, 0, 0, nullptr), doctest::Contains("i64"), DTypeError);
}

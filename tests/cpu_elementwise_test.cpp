// The CPU backend's kernels that are not matrix products or convolutions, against the reference:
// both instruction sets, float and double, sizes that no vector width divides, one to three
// threads with the same bits, and guard values around every output.
#include "cpu_check.h"

using namespace limulus;
using namespace limulus::cpu_check;

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
  for (const std::string& isa : cpu_instruction_sets()) {
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

// LRN and pooling on the CPU against the reference, and what the backend refuses.
#include "cpu_check.h"

using namespace limulus;
using namespace limulus::cpu_check;

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

// The paper's window and exponent have loops of their own, with a power that is no library's.
TEST_CASE_TEMPLATE("local response normalization of extreme values", T, float, double) {
  const double big = sizeof(T) == 4 ? 1e25 : 1e200;  // its square overflows
  const std::vector<double> values = {0,   1,    -1,        1e-20, 1e4, -3e7,  big, -inf,
                                      inf, 1e15, nan_value, 1e-3,  5,   1e-30, -2,  0.5};
  for (const double k : {2.0, 1.0, 1e-3, 1e-29, 0.0})
    for (const double alpha : {1e-4, 0.9}) {
      const LrnShape s{1, 13, 4, 9, 5, alpha, 0.75, k};
      std::vector<double> v = numbers(13 * 36, 7, 3);
      for (std::size_t i = 0; i < v.size(); i += 5) v[i] = values[i / 5 % values.size()];
      Guarded<T> x(v);
      check<T>("lrn", {{Guarded<T>(v.size())}, {}}, [&](Backend& b, Outputs<T>& out) {
        b.lrn_across_forward(dtype_of<T>, s, x.get(), out.real[0].get());
      });
    }
}

// Planes of windows of AlexNet's kind have loops of their own: every width around a register's,
// every way in which a row can end, and a maximum that another window shares.
TEST_CASE_TEMPLATE("pooling 3 x 3 with a stride of 2, any size", T, float, double) {
  for (const std::int64_t h : {3, 4, 9})
    for (const std::int64_t w :
         {3, 4, 5, 7, 8, 9, 13, 16, 17, 18, 27, 31, 32, 33, 34, 35, 36, 55, 66, 67, 68, 99}) {
      const Pool2dShape s{1, 3, {window(h, 3, 2, 0), window(w, 3, 2, 0)}};
      const std::int64_t in = 3 * h * w, out_count = 3 * s.window.h.out * s.window.w.out;
      std::vector<double> v = numbers(in, 1, 2);
      for (std::size_t i = 0; i < v.size(); i += 2) v[i] = std::round(v[i]);  // ties
      for (std::size_t i = 7; i < v.size(); i += 31) v[i] = nan_value;
      for (std::size_t i = 0; i < v.size() / 9; ++i) v[i] = -inf;
      Guarded<T> x(v), dy(numbers(out_count, 2));
      const Guarded<T> y(size(out_count)), dx(size(in));
      const Guarded<std::int32_t> where(size(out_count));
      check<T>(
          "max_pool2d " + std::to_string(w), {{y, dx, y}, {where}},
          [&](Backend& b, Outputs<T>& out) {
            b.max_pool2d_forward(dtype_of<T>, s, x.get(), out.real[0].get(), out.index[0].get());
            b.max_pool2d_backward(dtype_of<T>, s, dy.get(), out.index[0].get(), out.real[1].get());
            b.max_pool2d_forward(dtype_of<T>, s, x.get(), out.real[2].get(), nullptr);
          });
    }
}

// In one primitive and in two: the same bits.
TEST_CASE_TEMPLATE("local response normalization with the pool behind it", T, float, double) {
  const Window2d windows[] = {{window(13, 3, 2, 0), window(15, 3, 2, 0)},
                              {window(27, 3, 2, 0), window(27, 3, 2, 0)},
                              {window(9, 3, 2, 1), window(36, 3, 2, 1)},
                              {window(6, 2, 2, 0, 1, true), window(41, 4, 3, 2)}};
  for (const Window2d& win : windows)
    for (const std::int64_t c : {1, 4, 6, 37})
      for (const std::int64_t window_size : {3, 5}) {
        const LrnShape lrn{2, c, win.h.in, win.w.in, window_size, 0.9, 0.75, 1.5};
        const Pool2dShape pool{2, c, win};
        const std::int64_t in = 2 * c * win.h.in * win.w.in,
                           out_count = 2 * c * win.h.out * win.w.out;
        std::vector<double> v = numbers(in, 1, 2);
        v[size(in / 2)] = nan_value;
        Guarded<T> x(v);
        const Guarded<T> y(size(out_count));
        const Guarded<std::int32_t> where(size(out_count));
        const auto call = [&](Backend& b, Outputs<T>& out) {
          b.lrn_across_max_pool2d_forward(dtype_of<T>, lrn, pool, x.get(), out.real[0].get(),
                                          nullptr);
        };
        check<T>("lrn and pool, " + win.w.formula(), {{y}, {}}, call);
        for (const std::string& isa : cpu_instruction_sets()) {
          if (!cpu_supports(isa)) continue;
          CpuBackend cpu(2, "cpu", isa);
          Outputs<T> one{{y, y}, {where}}, two{{y, Guarded<T>(size(in))}, {where}};
          call(cpu, one);
          cpu.lrn_across_max_pool2d_forward(dtype_of<T>, lrn, pool, x.get(), one.real[1].get(),
                                            one.index[0].get());
          cpu.lrn_across_forward(dtype_of<T>, lrn, x.get(), two.real[1].get());
          cpu.max_pool2d_forward(dtype_of<T>, pool, two.real[1].get(), two.real[0].get(),
                                 two.index[0].get());
          const std::size_t bytes = y.data.size() * sizeof(T);
          INFO(isa, ", ", c, " channels, ", win.w.formula());
          CHECK(same_bits(one.real[0].data.data(), two.real[0].data.data(), bytes));
          CHECK(same_bits(one.real[1].data.data(), two.real[0].data.data(), bytes));
          CHECK(one.index[0].data == two.index[0].data);
        }
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

// Outputs of 16 MiB and more (LRN: 32) are streamed, from whatever address they begin at.
TEST_CASE("large outputs at odd addresses") {
  const std::int64_t c = 21, h = 1300, w = 331, n = c * h * w;  // 34 MiB of float
  const LrnShape lrn{1, c, h, w, 5, 0.9, 0.75, 2};
  std::vector<float> x(size(n + 1), 0.5f), dy(size(n + 1), 0.25f);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] += static_cast<float>(i % 1013) * 1e-3f;
  ReferenceBackend reference;
  for (const std::string& isa : cpu_instruction_sets()) {
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
  CHECK_THROWS_WITH_AS(CpuBackend(1, "cpu", "altivec"), doctest::Contains("altivec"), DeviceError);
  CpuBackend cpu(1);
  CHECK_THROWS_WITH_AS(cpu.set_threads(-1), doctest::Contains("-1 threads"), ValueError);
  CHECK_THROWS_WITH_AS(cpu.allocate(std::size_t{1} << 62), doctest::Contains("4611686018427387904"),
                       DeviceError);
  CHECK_THROWS_WITH_AS(cpu.fill(DType::i64, 0, 0, nullptr), doctest::Contains("i64"), DTypeError);
}

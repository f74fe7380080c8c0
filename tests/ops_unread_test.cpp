// Pixels that no window reads, and windows that hold no pixel, must not matter: NaN and infinity
// there leave every result as it is. Each convolution of the table's kinds, and pooling, on every
// backend.
#include <set>

#include "backends/convolution.h"
#include "primitive_calls.h"

using namespace limulus;

namespace {

struct Form {
  std::int64_t n, c, k, h, w, fh, fw, stride, pad, dilation, groups;
};
// Remainders at the right and the bottom, strides beyond the window, gaps of a dilation, padding
// beyond the window (whole outputs of padding), a window rearranged for Winograd's method, with a
// remainder.
const Form forms[] = {
    {1, 1, 1, 1, 2, 1, 1, 2, 0, 1, 1},     {2, 3, 5, 9, 8, 2, 2, 3, 0, 1, 1},
    {1, 2, 3, 10, 11, 3, 2, 4, 1, 1, 1},   {2, 4, 6, 12, 13, 2, 2, 5, 0, 2, 2},
    {1, 2, 2, 5, 6, 2, 2, 1, 3, 1, 1},     {2, 3, 33, 38, 37, 11, 11, 4, 0, 1, 1},
    {1, 16, 40, 17, 16, 5, 5, 1, 6, 1, 1}, {1, 1, 17, 20, 20, 5, 5, 2, 0, 1, 1},
};

Conv2dShape shape_of(const Form& f) {
  Conv2dShape s{f.n, f.c, f.k, f.groups};
  s.window = {Window1d::make(f.h, f.fh, f.stride, f.pad, f.dilation, false, "test", "height"),
              Window1d::make(f.w, f.fw, f.stride, f.pad, f.dilation, false, "test", "width")};
  return s;
}

// Which pixels of an axis some window reads, and which windows read some pixel.
struct Reads {
  std::vector<bool> in, out;
  explicit Reads(const Window1d& w) : in(count_of(w.in)), out(count_of(w.out)) {
    for (std::int64_t o = 0; o < w.out; ++o)
      for (std::int64_t f = 0; f < w.kernel; ++f) {
        const std::int64_t i = o * w.stride + f * w.dilation - w.pad;
        if (i >= 0 && i < w.in) in[count_of(i)] = out[count_of(o)] = true;
      }
  }
};

// `poison` in each place of [planes, h, w] that one of the axes says is unused.
int plant(std::vector<double>& values, const std::vector<bool>& h, const std::vector<bool>& w,
          double poison) {
  int planted = 0;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!h[i / w.size() % h.size()] || !w[i % w.size()]) {
      values[i] = i % 2 == 0 ? poison : -poison;
      ++planted;
    }
  return planted;
}

// Bits where kernels leave such values out; OpenCL takes a sum again in another order.
void check_same(const std::string& what, Backend& backend, DType dtype, const PrimitiveCall& clean,
                const PrimitiveCall& poisoned) {
  const auto wanted = results(clean, dtype, backend), got = results(poisoned, dtype, backend);
  if (backend.host_memory())
    CHECK_MESSAGE(got == wanted, what);
  else
    check_close(what, got, wanted, dtype == DType::f32 ? 1e-4 : 1e-12);
}

}  // namespace

TEST_CASE("a pixel that no window reads changes nothing") {
  const double inf = std::numeric_limits<double>::infinity();
  int planted = 0;
  for (const auto& backend : all_backends(true))
    for (const DType dtype : {DType::f32, DType::f64})
      for (const double poison : {std::nan(""), inf})
        for (const Form& f : forms) {
          const Conv2dShape s = shape_of(f);
          const Window2d& win = s.window;
          const Reads h(win.h), w(win.w);
          const std::int64_t xs = s.n * s.c * win.h.in * win.w.in;
          const std::int64_t ys = s.n * s.k * win.h.out * win.w.out;
          const std::int64_t ws = s.k * (s.c / s.groups) * win.h.kernel * win.w.kernel;
          const std::string what = "x [" + std::to_string(f.n) + ", " + std::to_string(f.c) + ", " +
                                   std::to_string(f.h) + ", " + std::to_string(f.w) + "] on " +
                                   backend->name();
          const auto both = [&](const std::string& name, const std::vector<double>& values,
                                const std::vector<bool>& read_h, const std::vector<bool>& read_w,
                                auto call) {
            std::vector<double> bad = values;
            planted += plant(bad, read_h, read_w, poison);
            check_same(name + " " + what, *backend, dtype, call(values), call(bad));
          };
          both("forward", some_numbers(xs), h.in, w.in, [&](const std::vector<double>& x) {
            return PrimitiveCall{
                "",
                {in(x), in(some_numbers(ws, 2)), in(some_numbers(s.k, 3)), out(ys)},
                [s](Backend& b, DType t, const auto& a) {
                  b.conv2d_forward(t, s, a[0], a[1], a[2], a[3]);
                }};
          });
          both("weight gradient", some_numbers(xs), h.in, w.in, [&](const std::vector<double>& x) {
            return PrimitiveCall{"",
                                 {in(x), in(some_numbers(ys, 2)), out(ws)},
                                 [s](Backend& b, DType t, const auto& a) {
                                   b.conv2d_backward_weight(t, s, a[0], a[1], a[2]);
                                 }};
          });
          both("input gradient", some_numbers(ys), h.out, w.out,
               [&](const std::vector<double>& dy) {
                 return PrimitiveCall{"",
                                      {in(dy), in(some_numbers(ws, 2)), out(xs)},
                                      [s](Backend& b, DType t, const auto& a) {
                                        b.conv2d_backward_input(t, s, a[0], a[1], a[2]);
                                      }};
               });
          const Pool2dShape p{s.n, s.c, win};
          if (f.pad >= f.fh) continue;
          both("pooling", some_numbers(xs), h.in, w.in, [&](const std::vector<double>& x) {
            const std::int64_t outs = p.n * p.c * win.h.out * win.w.out;
            return PrimitiveCall{"",
                                 {in(x), out(outs), of_type(DType::i32, out(outs)), out(outs)},
                                 [p](Backend& b, DType t, const auto& a) {
                                   b.max_pool2d_forward(t, p, a[0], a[1], a[2]);
                                   b.avg_pool2d_forward(t, p, a[0], a[3]);
                                 }};
          });
        }
  CHECK(planted > 1000);
}

// A pixel of infinity or NaN reaches the outputs whose windows hold it, and no other: by Winograd's
// method, too, which mixes all pixels of a tile.
TEST_CASE("a NaN or an infinite pixel stays inside of the windows that hold it") {
  const Form rows[] = {{2, 40, 48, 13, 13, 3, 3, 1, 1, 1, 1},
                       {2, 48, 40, 14, 15, 5, 5, 1, 2, 1, 1},
                       {2, 3, 32, 35, 39, 11, 11, 4, 0, 1, 1},
                       {2, 3, 5, 9, 8, 3, 3, 1, 1, 1, 1}};
  for (const auto& backend : all_backends())
    for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity(), 3e38})
      for (const Form& f : rows) {
        const Conv2dShape s = shape_of(f);
        const Window2d& win = s.window;
        std::vector<double> x = some_numbers(s.n * s.c * win.h.in * win.w.in);
        std::vector<double> dy = some_numbers(s.n * s.k * win.h.out * win.w.out, 5);
        x[count_of((win.h.in / 2) * win.w.in + 5)] = bad;  // image 0, channel 0
        dy[count_of((win.h.out / 2) * win.w.out + 3)] = bad;
        const std::int64_t ws = s.k * s.c * win.h.kernel * win.w.kernel;
        std::vector<double> w = some_numbers(ws, 2);
        for (double& v : w) v *= 0.25;  // so that 3e38 times a weight is finite
        const PrimitiveCall call{
            "",
            {in(x), in(w), in(some_numbers(s.k, 3)), in(dy), out(std::int64_t(dy.size())),
             out(std::int64_t(x.size())), out(ws)},
            [s](Backend& b, DType t, const auto& a) {
              b.conv2d_forward(t, s, a[0], a[1], a[2], a[4]);
              b.conv2d_backward_input(t, s, a[3], a[1], a[5]);
              b.conv2d_backward_weight(t, s, a[0], a[3], a[6]);
            }};
        ReferenceBackend reference;
        const auto got = results(call, DType::f32, *backend);
        const auto wanted = results(call, DType::f32, reference);
        for (std::size_t a = 0; a < got.size(); ++a) {
          std::size_t numbers = 0;
          for (std::size_t i = 0; i < got[a].size(); ++i) {
            if (!std::isfinite(wanted[a][i]) || std::abs(wanted[a][i]) > 1e30) continue;
            ++numbers;
            const double bound = 2e-4 * std::max(1.0, std::abs(wanted[a][i]));
            // The sums of 3e38 have more digits than a float: with those, only being finite counts.
            if (bad == 3e38 ? std::isfinite(got[a][i])
                            : std::abs(got[a][i] - wanted[a][i]) <= bound)
              continue;
            FAIL_CHECK("result " << a << "[" << i << "] on " << backend->name() << " is "
                                 << got[a][i] << " instead of " << wanted[a][i] << ", pixel "
                                 << bad);
            break;
          }
          CHECK(numbers > got[a].size() / 8);
        }
      }
}

// Mistakes in the gradients of pooling.
#include <algorithm>
#include <vector>

#include "backends/registry.h"
#include "gradcheck/cases/mutations.h"
#include "layers/avg_pool2d.h"
#include "layers/max_pool2d.h"

namespace limulus {
namespace {

using In = std::vector<Tensor>;

OpCase max_pool(const Shape& x, const Pool2dOptions& o) {
  return {"max_pool2d", "max_pool2d with a mistake", {{"x", x, Fill::distinct}}, [o](const In& t) {
            return max_pool2d(t[0], o);
          }};
}
OpCase avg_pool(const Shape& x, const Pool2dOptions& o) {
  return {"avg_pool2d", "avg_pool2d with a mistake", {{"x", x}}, [o](const In& t) {
            return avg_pool2d(t[0], o);
          }};
}

// Calls visit(plane, o, i) for each output o and each element i of its window, both counted within
// their plane.
template <class Visit>
void for_windows(const Pool2dShape& s, Visit visit) {
  const auto& [h, w] = s.window;
  for (std::int64_t plane = 0; plane < s.n * s.c; ++plane)
    for (std::int64_t o = 0; o < h.out * w.out; ++o)
      for (std::int64_t f = 0; f < h.kernel * w.kernel; ++f) {
        const std::int64_t ih = o / w.out * h.stride + f / w.kernel * h.dilation - h.pad;
        const std::int64_t iw = o % w.out * w.stride + f % w.kernel * w.dilation - w.pad;
        if (0 <= ih && ih < h.in && 0 <= iw && iw < w.in) visit(plane, o, ih * w.in + iw, f);
      }
}

// dx[i] += dy[o] share(o, taps inside, tap) for each window o that holds i.
template <class Share>
WrongPrimitives average(Share share) {
  WrongPrimitives p;
  p.avg_pool = [=](const Pool2dShape& s, const double* dy, double* dx) {
    const std::int64_t in = s.window.h.in * s.window.w.in, out = s.window.h.out * s.window.w.out;
    std::vector<double> inside(static_cast<std::size_t>(s.n * s.c * out));
    std::fill_n(dx, s.n * s.c * in, 0.0);
    for_windows(s, [&](auto plane, auto o, auto, auto) {
      ++inside[static_cast<std::size_t>(plane * out + o)];
    });
    for_windows(s, [&](auto plane, auto o, auto i, auto tap) {
      dx[plane * in + i] +=
          dy[plane * out + o] * share(s, inside[static_cast<std::size_t>(plane * out + o)], tap);
    });
  };
  return p;
}

double full(const Pool2dShape& s) {
  return static_cast<double>(s.window.h.kernel * s.window.w.kernel);
}

std::vector<Mutation> max_pool_mutations() {
  const Pool2dOptions overlapping{.kernel = 3, .stride = 2};
  WrongPrimitives stale, exchanged, overwritten, spread, twice;
  stale.max_pool = [](const Pool2dShape& s, const double* dy, const std::int32_t* argmax,
                      double* dx) {
    const auto out = static_cast<std::size_t>(s.n * s.c * s.window.h.out * s.window.w.out);
    std::vector<std::int32_t> old(argmax, argmax + out);
    std::rotate(old.begin(), old.begin() + s.window.h.out * s.window.w.out, old.end());
    device("reference").max_pool2d_backward(DType::f64, s, dy, old.data(), dx);
  };
  exchanged.max_pool = [](const Pool2dShape& s, const double* dy, const std::int32_t* argmax,
                          double* dx) {
    const std::int64_t out = s.n * s.c * s.window.h.out * s.window.w.out;
    const auto w = static_cast<std::int32_t>(s.window.w.in);
    std::vector<std::int32_t> other;
    for (std::int64_t o = 0; o < out; ++o) other.push_back(argmax[o] % w * w + argmax[o] / w);
    device("reference").max_pool2d_backward(DType::f64, s, dy, other.data(), dx);
  };
  overwritten.max_pool = [](const Pool2dShape& s, const double* dy, const std::int32_t* argmax,
                            double* dx) {
    const std::int64_t in = s.window.h.in * s.window.w.in, out = s.window.h.out * s.window.w.out;
    std::fill_n(dx, s.n * s.c * in, 0.0);
    for (std::int64_t o = 0; o < s.n * s.c * out; ++o) dx[o / out * in + argmax[o]] = dy[o];
  };
  spread.max_pool = [](const Pool2dShape& s, const double* dy, const std::int32_t*, double* dx) {
    const std::int64_t in = s.window.h.in * s.window.w.in, out = s.window.h.out * s.window.w.out;
    std::fill_n(dx, s.n * s.c * in, 0.0);
    for_windows(s, [&](auto plane, auto o, auto i, auto) {
      dx[plane * in + i] += dy[plane * out + o] / full(s);
    });
  };
  return {
      {"max_pool2d-stale", "the argmax is that of another image", "x", "argmax",
       max_pool({2, 1, 7, 7}, overlapping), stale},
      {"max_pool2d-exchanged", "row and column of the argmax are exchanged", "x", "transposed",
       max_pool({1, 2, 7, 7}, overlapping), exchanged},
      {"max_pool2d-overwritten", "where windows overlap, dx is overwritten", "x", "overwritten",
       max_pool({1, 2, 7, 7}, overlapping), overwritten},
      {"max_pool2d-spread", "dy goes to the whole window in equal parts", "x", "argmax",
       max_pool({1, 2, 6, 6}, {.kernel = 2}), spread},
  };
}

}  // namespace

std::vector<Mutation> pool_mutations() {
  const Pool2dOptions padded{.kernel = 3, .stride = 2, .pad = 1};
  Pool2dOptions inside = padded;
  inside.count_include_pad = false;
  WrongPrimitives overwritten;
  overwritten.avg_pool = [](const Pool2dShape& s, const double* dy, double* dx) {
    const std::int64_t in = s.window.h.in * s.window.w.in, out = s.window.h.out * s.window.w.out;
    std::fill_n(dx, s.n * s.c * in, 0.0);
    for_windows(s, [&](auto plane, auto o, auto i, auto) {
      dx[plane * in + i] = dy[plane * out + o] / full(s);
    });
  };
  std::vector<Mutation> bank = max_pool_mutations();
  for (Mutation& m : std::vector<Mutation>{
           {"avg_pool2d-inside", "divided by the taps inside, where padding counts", "x", "divisor",
            avg_pool({1, 2, 6, 7}, padded),
            average([](const Pool2dShape&, double taps, std::int64_t) { return 1 / taps; })},
           {"avg_pool2d-padding", "divided by F*F, where padding does not count", "x", "divisor",
            avg_pool({1, 2, 6, 7}, inside),
            average([](const Pool2dShape&s, double, std::int64_t) { return 1 / full(s); })},
           {"avg_pool2d-window", "the last row and column of each window get nothing", "x",
            "window", avg_pool({1, 2, 7, 7}, {.kernel = 3, .stride = 2}),
            average([](const Pool2dShape&s, double, std::int64_t tap) {
              const std::int64_t f = s.window.w.kernel;
              return tap / f == f - 1 || tap % f == f - 1 ? 0 : 1 / full(s);
            })},
           {"avg_pool2d-side", "divided by F instead of F*F", "x", "factor",
            avg_pool({1, 2, 7, 7}, {.kernel = 3, .stride = 2}),
            average([](const Pool2dShape&s, double, std::int64_t) {
              return 1.0 / static_cast<double>(s.window.w.kernel);
            })},
           {"avg_pool2d-sum", "not divided at all", "x", "factor",
            avg_pool({1, 2, 6, 6}, {.kernel = 2}),
            average([](const Pool2dShape&, double, std::int64_t) { return 1.0; })},
           {"avg_pool2d-overwritten", "where windows overlap, dx is overwritten", "x",
            "overwritten", avg_pool({1, 2, 7, 7}, {.kernel = 3, .stride = 2}), overwritten},
       })
    bank.push_back(std::move(m));
  return bank;
}

}  // namespace limulus

// Local response normalization on the device (kernels/lrn.cl).
#include "backends/opencl/run.h"

namespace limulus {
namespace opencl {
namespace {

struct Lrn {  // the same as in kernels/lrn.cl
  cl_long n, c, h, w, size;
};

Lrn sizes(const LrnShape& s) { return {s.n, s.c, s.h, s.w, s.size}; }
bool as_in_the_paper(const LrnShape& s) { return s.size == 5 && s.beta == 0.75; }
int three_quarters(const LrnShape& s) { return s.beta == 0.75 ? 1 : 0; }
std::size_t bytes(DType dtype, const LrnShape& s) {
  return static_cast<std::size_t>(s.n * s.c * s.h * s.w) * size_of(dtype);
}

Items pixel_runs(const Runtime& r, const LrnShape& s) {
  return {ceil_div(s.h * s.w, r.tuning().run_across), s.n, 1};
}
// Within channels: rows of planes; on a GPU elements.
Items rows(const Runtime& r, const LrnShape& s) {
  return r.tuning().processor ? Items{s.n * s.c, s.h, 1} : Items{s.n * s.c * s.h * s.w, 1, 1};
}
// On a GPU an item walks through so many channels of a pixel.
constexpr std::int64_t some_channels = 32;
Items walks(const LrnShape& s) { return {s.h * s.w, s.n, ceil_div(s.c, some_channels)}; }

}  // namespace
}  // namespace opencl

void OpenClBackend::lrn_across_forward(DType dtype, const LrnShape& s, const void* x, void* y) {
  using namespace opencl;
  run(dtype, "lrn_across_forward", s, [&](Runtime& r) {
    if (r.tuning().processor)
      r.launch("lrn", dtype, "across_forward", pixel_runs(r, s), x, sizes(s), Real{s.k},
               Real{s.alpha}, Real{s.beta}, three_quarters(s), y);
    else if (as_in_the_paper(s))
      r.launch("lrn", dtype, "paper_forward", walks(s), x, sizes(s), some_channels, Real{s.k},
               Real{s.alpha}, y);
    else
      r.launch("lrn", dtype, "across_forward", walks(s), x, sizes(s), some_channels, Real{s.k},
               Real{s.alpha}, Real{s.beta}, three_quarters(s), y);
  });
}

void OpenClBackend::lrn_across_backward(DType dtype, const LrnShape& s, const void* x,
                                        const void* dy, void* dx) {
  using namespace opencl;
  run(dtype, "lrn_across_backward", s, [&](Runtime& r) {
    if (!r.tuning().processor && as_in_the_paper(s))
      return r.launch("lrn", dtype, "paper_backward", walks(s), x, dy, sizes(s), some_channels,
                      Real{s.k}, Real{s.alpha}, dx);
    const Workspace t(pool(), bytes(dtype, s));
    if (!r.tuning().processor) {
      r.launch("lrn", dtype, "across_backward_own", walks(s), x, dy, sizes(s), some_channels,
               Real{s.k}, Real{s.alpha}, Real{s.beta}, three_quarters(s), t.data(), dx);
      return r.launch("lrn", dtype, "across_backward_others", walks(s), x, sizes(s), some_channels,
                      static_cast<const void*>(t.data()), dx);
    }
    r.launch("lrn", dtype, "across_backward", pixel_runs(r, s), x, dy, sizes(s), Real{s.k},
             Real{s.alpha}, Real{s.beta}, three_quarters(s), t.data(), dx);
  });
}

void OpenClBackend::lrn_within_forward(DType dtype, const LrnShape& s, const void* x, void* y) {
  using namespace opencl;
  run(dtype, "lrn_within_forward", s, [&](Runtime& r) {
    r.launch("lrn", dtype, "within_forward", rows(r, s), x, sizes(s), Real{s.k}, Real{s.alpha},
             Real{s.beta}, three_quarters(s), y);
  });
}

void OpenClBackend::lrn_within_backward(DType dtype, const LrnShape& s, const void* x,
                                        const void* dy, void* dx) {
  using namespace opencl;
  run(dtype, "lrn_within_backward", s, [&](Runtime& r) {
    const Workspace t(pool(), bytes(dtype, s));
    r.launch("lrn", dtype, "within_backward_own", rows(r, s), x, dy, sizes(s), Real{s.k},
             Real{s.alpha}, Real{s.beta}, three_quarters(s), t.data(), dx);
    r.launch("lrn", dtype, "within_backward_others", rows(r, s), x, sizes(s),
             static_cast<const void*>(t.data()), dx);
  });
}

}  // namespace limulus

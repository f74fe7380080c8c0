// Pooling on the device (kernels/pool.cl).
#include <algorithm>

#include "backends/opencl/run.h"

namespace limulus {
namespace opencl {
namespace {

struct Windows {  // the same as in kernels/pool.cl
  cl_long h, w, fh, fw, oh, ow, sh, sw, ph, pw, dh, dw, count_pad;
};

Windows windows(const Pool2dShape& s) {
  const Window1d &h = s.window.h, &w = s.window.w;
  return {h.in,
          w.in,
          h.kernel,
          w.kernel,
          h.out,
          w.out,
          h.stride,
          w.stride,
          h.pad,
          w.pad,
          h.dilation,
          w.dilation,
          s.count_include_pad ? 1 : 0};
}

// An item for each plane; for each row of the output, or of the input.
Items planes(const Pool2dShape& s) { return {s.n * s.c, 1, 1}; }
Items output_rows(const Pool2dShape& s) { return {s.n * s.c, s.window.h.out, 1}; }
Items input_rows(const Pool2dShape& s) { return {s.n * s.c, s.window.h.in, 1}; }

}  // namespace
}  // namespace opencl

void OpenClBackend::max_pool2d_forward(DType dtype, const Pool2dShape& s, const void* x, void* y,
                                       void* argmax) {
  using namespace opencl;
  run(dtype, "max_pool2d_forward", s, [&](Runtime& r) {
    const auto outputs = static_cast<std::size_t>(s.n * s.c * s.window.h.out * s.window.w.out);
    const Workspace unused(pool(), argmax == nullptr ? outputs * sizeof(cl_int) : 0);
    r.launch("pool", dtype, "max_forward", r.tuning().processor ? planes(s) : output_rows(s), x,
             windows(s), s.n * s.c, y, argmax == nullptr ? unused.data() : argmax);
  });
}

void OpenClBackend::max_pool2d_backward(DType dtype, const Pool2dShape& s, const void* dy,
                                        const void* argmax, void* dx) {
  using namespace opencl;
  run(dtype, "max_pool2d_backward", s, [&](Runtime& r) {
    const auto windows_of_element = [](const Window1d& w) {
      return std::min(w.out, ceil_div(w.kernel, w.stride));
    };
    const bool many = windows_of_element(s.window.h) * windows_of_element(s.window.w) > 64;
    const std::int64_t inputs = s.n * s.c * s.window.h.in * s.window.w.in;
    const Workspace lost(pool(), bytes_of(dtype, many ? inputs : 0));
    void* const kept = many ? lost.data() : nullptr;
    r.launch("pool", dtype, "max_backward", r.tuning().processor ? planes(s) : input_rows(s), dy,
             argmax, windows(s), s.n * s.c, dx, kept);
  });
}

void OpenClBackend::avg_pool2d_forward(DType dtype, const Pool2dShape& s, const void* x, void* y) {
  using namespace opencl;
  run(dtype, "avg_pool2d_forward", s, [&](Runtime& r) {
    r.launch("pool", dtype, "avg_forward", output_rows(s), x, windows(s), s.n * s.c, y);
  });
}

void OpenClBackend::avg_pool2d_backward(DType dtype, const Pool2dShape& s, const void* dy,
                                        void* dx) {
  using namespace opencl;
  run(dtype, "avg_pool2d_backward", s, [&](Runtime& r) {
    r.launch("pool", dtype, "avg_backward", input_rows(s), dy, windows(s), s.n * s.c, dx);
  });
}

}  // namespace limulus

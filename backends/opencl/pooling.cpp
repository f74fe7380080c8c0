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

// On a processor an item for each plane, or for each of its rows; on a GPU for an element of some
// planes.
Items items(const Runtime& r, const Pool2dShape& s, std::int64_t rows, std::int64_t h,
            std::int64_t w) {
  constexpr std::int64_t planes_of_item = 4;  // PLANES in kernels/pool.cl
  const std::int64_t planes = s.n * s.c;
  if (r.tuning().processor) return {planes, rows, 1};
  return {h * w, std::min<std::int64_t>(ceil_div(planes, planes_of_item), 65535), 1};
}
Items of_outputs(const Runtime& r, const Pool2dShape& s, bool by_plane) {
  const std::int64_t h = s.window.h.out;
  return items(r, s, by_plane ? 1 : h, h, s.window.w.out);
}
Items of_inputs(const Runtime& r, const Pool2dShape& s, bool by_plane) {
  const std::int64_t h = s.window.h.in;
  return items(r, s, by_plane ? 1 : h, h, s.window.w.in);
}

}  // namespace
}  // namespace opencl

void OpenClBackend::max_pool2d_forward(DType dtype, const Pool2dShape& s, const void* x, void* y,
                                       void* argmax) {
  using namespace opencl;
  run(dtype, "max_pool2d_forward", s, [&](Runtime& r) {
    // On a processor positions are always written: vectors of them are as cheap as a test.
    const bool unused = argmax == nullptr && r.tuning().processor;
    const auto outputs = static_cast<std::size_t>(s.n * s.c * s.window.h.out * s.window.w.out);
    const Workspace positions(pool(), unused ? outputs * sizeof(cl_int) : 0);
    r.launch("pool", dtype, "max_forward", of_outputs(r, s, true), x, windows(s), s.n * s.c, y,
             unused ? positions.data() : argmax);
  });
}

void OpenClBackend::max_pool2d_backward(DType dtype, const Pool2dShape& s, const void* dy,
                                        const void* argmax, void* dx) {
  using namespace opencl;
  run(dtype, "max_pool2d_backward", s, [&](Runtime& r) {
    const auto windows_of_element = [](const Window1d& w) {
      return std::min(w.out, ceil_div(w.kernel, w.stride));
    };
    const bool many = r.tuning().processor &&
                      windows_of_element(s.window.h) * windows_of_element(s.window.w) > 64;
    const std::int64_t inputs = s.n * s.c * s.window.h.in * s.window.w.in;
    const Workspace lost(pool(), bytes_of(dtype, many ? inputs : 0));
    void* const kept = many ? lost.data() : nullptr;
    r.launch("pool", dtype, "max_backward", of_inputs(r, s, true), dy, argmax, windows(s),
             s.n * s.c, dx, kept);
  });
}

void OpenClBackend::avg_pool2d_forward(DType dtype, const Pool2dShape& s, const void* x, void* y) {
  using namespace opencl;
  run(dtype, "avg_pool2d_forward", s, [&](Runtime& r) {
    r.launch("pool", dtype, "avg_forward", of_outputs(r, s, false), x, windows(s), s.n * s.c, y);
  });
}

void OpenClBackend::avg_pool2d_backward(DType dtype, const Pool2dShape& s, const void* dy,
                                        void* dx) {
  using namespace opencl;
  run(dtype, "avg_pool2d_backward", s, [&](Runtime& r) {
    r.launch("pool", dtype, "avg_backward", of_inputs(r, s, false), dy, windows(s), s.n * s.c, dx);
  });
}

}  // namespace limulus

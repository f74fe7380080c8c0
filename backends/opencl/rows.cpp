// Reductions and softmax on the device (kernels/reduce.cl, softmax.cl).
#include "backends/opencl/run.h"

namespace limulus {

void OpenClBackend::reduce(DType dtype, ReduceOp op, std::int64_t outer, std::int64_t len,
                           std::int64_t inner, const void* x, void* y) {
  using namespace opencl;
  run(dtype, "reduce", Shape{outer, len, inner}, [&](Runtime& r) {
    const bool sum = op == ReduceOp::sum;
    if (inner != 1 || len == 0) {
      r.launch("reduce", dtype, sum ? "sum_across" : "max_across",
               {ceil_div(inner, r.tuning().run_across), outer, 1}, x, y, len, inner);
      return;
    }
    // A long row is cut, so that few rows keep all of the device busy: 16 lanes of 256 terms.
    constexpr std::int64_t piece = 4096;
    const char* kernel = sum ? "sum_rows" : "max_rows";
    const std::int64_t pieces = ceil_div(len, piece);
    if (pieces == 1) return r.launch("reduce", dtype, kernel, {outer, 1, 1}, x, y, outer, len, len);
    const Workspace partial(pool(), static_cast<std::size_t>(outer * pieces) * size_of(dtype));
    r.launch("reduce", dtype, kernel, {outer, pieces, 1}, x, partial.data(), outer, len, piece);
    r.launch("reduce", dtype, kernel, {outer, 1, 1}, partial.data(), y, outer, pieces, pieces);
  });
}

void OpenClBackend::softmax_forward(DType dtype, std::int64_t rows, std::int64_t cols,
                                    const void* x, void* y) {
  using namespace opencl;
  if (cols == 0) return;
  run(dtype, "softmax_forward", Shape{rows, cols}, [&](Runtime& r) {
    r.launch("softmax", dtype, "softmax_forward", {rows, 1, 1}, x, y, rows, cols);
  });
}

void OpenClBackend::softmax_backward(DType dtype, std::int64_t rows, std::int64_t cols,
                                     const void* y, const void* dy, void* dx) {
  using namespace opencl;
  run(dtype, "softmax_backward", Shape{rows, cols}, [&](Runtime& r) {
    r.launch("softmax", dtype, "softmax_backward", {rows, 1, 1}, y, dy, dx, rows, cols);
  });
}

void OpenClBackend::cross_entropy_forward(DType dtype, std::int64_t rows, std::int64_t cols,
                                          const void* x, const void* labels, void* probability,
                                          void* loss) {
  using namespace opencl;
  run(dtype, "cross_entropy_forward", Shape{rows, cols}, [&](Runtime& r) {
    r.launch("softmax", dtype, "cross_entropy_forward", {rows, 1, 1}, x, labels, probability, loss,
             rows, cols);
  });
}

void OpenClBackend::cross_entropy_backward(DType dtype, std::int64_t rows, std::int64_t cols,
                                           const void* probability, const void* labels,
                                           const void* dloss, void* dx) {
  using namespace opencl;
  run(dtype, "cross_entropy_backward", Shape{rows, cols}, [&](Runtime& r) {
    r.launch("softmax", dtype, "cross_entropy_backward", {rows, 1, 1}, probability, labels, dloss,
             dx, rows, cols);
  });
}

}  // namespace limulus

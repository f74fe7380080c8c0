// Reductions and softmax on the device (kernels/reduce.cl, softmax.cl).
#include "backends/opencl/reduce.h"

#include <string_view>

namespace limulus {
namespace opencl {

// Pieces are 16 lanes of 256 terms; across, 64 subtotals of 64. (A long row is also cut so that a
// few rows keep all of a device busy.)
namespace {
constexpr std::int64_t piece = 4096;

// A row for each item; on a GPU for each group of them.
Items one_each(const Runtime& r, std::int64_t rows) {
  return {r.tuning().processor ? rows : rows * r.tuning().group, 1, 1};
}
}  // namespace

void reduce_rows(Runtime& r, DType dtype, const char* kernel, std::int64_t rows, std::int64_t len,
                 const void* x, void* y, Pool& pool) {
  const std::int64_t pieces = ceil_div(len, piece);
  Items items = {rows, 1, 1};
  const char* form = kernel;
  if (!r.tuning().processor && len > 32) {
    items = one_each(r, rows);
    form = std::string_view(kernel) == "sum_rows" ? "sum_long_rows" : "max_long_rows";
  }
  if (pieces <= 1) return r.launch("reduce", dtype, form, items, x, y, rows, len, len);
  const Workspace partial(pool, static_cast<std::size_t>(rows * pieces) * size_of(dtype));
  items[1] = pieces;
  r.launch("reduce", dtype, form, items, x, partial.data(), rows, len, piece);
  reduce_rows(r, dtype, kernel, rows, pieces, partial.data(), y, pool);
}

void reduce_across(Runtime& r, DType dtype, const char* kernel, std::int64_t outer,
                   std::int64_t len, std::int64_t inner, const void* x, void* y, Pool& pool) {
  const std::int64_t runs = ceil_div(inner, r.tuning().run_across), pieces = ceil_div(len, piece);
  if (pieces <= 1)
    return r.launch("reduce", dtype, kernel, {runs, outer, 1}, x, y, len, inner, len);
  const Workspace partial(pool, static_cast<std::size_t>(outer * pieces * inner) * size_of(dtype));
  r.launch("reduce", dtype, kernel, {runs, outer, pieces}, x, partial.data(), len, inner, piece);
  reduce_across(r, dtype, kernel, outer, pieces, inner, partial.data(), y, pool);
}

}  // namespace opencl

void OpenClBackend::reduce(DType dtype, ReduceOp op, std::int64_t outer, std::int64_t len,
                           std::int64_t inner, const void* x, void* y) {
  using namespace opencl;
  run(dtype, "reduce", Shape{outer, len, inner}, [&](Runtime& r) {
    const bool sum = op == ReduceOp::sum;
    if (inner == 1 && len > 0)
      reduce_rows(r, dtype, sum ? "sum_rows" : "max_rows", outer, len, x, y, pool());
    else
      reduce_across(r, dtype, sum ? "sum_across" : "max_across", outer, len, inner, x, y, pool());
  });
}

void OpenClBackend::softmax_forward(DType dtype, std::int64_t rows, std::int64_t cols,
                                    const void* x, void* y) {
  using namespace opencl;
  if (cols == 0) return;
  run(dtype, "softmax_forward", Shape{rows, cols}, [&](Runtime& r) {
    r.launch("softmax", dtype, "softmax_forward", one_each(r, rows), x, y, rows, cols);
  });
}

void OpenClBackend::softmax_backward(DType dtype, std::int64_t rows, std::int64_t cols,
                                     const void* y, const void* dy, void* dx) {
  using namespace opencl;
  run(dtype, "softmax_backward", Shape{rows, cols}, [&](Runtime& r) {
    r.launch("softmax", dtype, "softmax_backward", one_each(r, rows), y, dy, dx, rows, cols);
  });
}

void OpenClBackend::cross_entropy_forward(DType dtype, std::int64_t rows, std::int64_t cols,
                                          const void* x, const void* labels, void* probability,
                                          void* loss) {
  using namespace opencl;
  run(dtype, "cross_entropy_forward", Shape{rows, cols}, [&](Runtime& r) {
    r.launch("softmax", dtype, "cross_entropy_forward", one_each(r, rows), x, labels, probability,
             loss, rows, cols);
  });
}

void OpenClBackend::cross_entropy_backward(DType dtype, std::int64_t rows, std::int64_t cols,
                                           const void* probability, const void* labels,
                                           const void* dloss, void* dx) {
  using namespace opencl;
  run(dtype, "cross_entropy_backward", Shape{rows, cols}, [&](Runtime& r) {
    r.launch("softmax", dtype, "cross_entropy_backward", one_each(r, rows), probability, labels,
             dloss, dx, rows, cols);
  });
}

}  // namespace limulus

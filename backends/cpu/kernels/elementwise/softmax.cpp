// Softmax and cross-entropy over the rows of x [rows, cols].
//
//   softmax         y_c = e^(x_c - m) / S,   m = max x,   S = sum of e^(x_c - m)
//   its gradient    dx_c = y_c (dy_c - sum of dy y)
//   cross-entropy   loss = log S - (x_label - m),   probability = softmax(x)
//   its gradient    dx_c = dloss (probability_c - [c = label])
//
// With the maximum taken out no exponential overflows and the largest is 1, so S >= 1 and its
// logarithm is harmless; the ratio is unchanged. The loss is taken from x and S, not from the
// probability, which may have become 0.
//
// A row (1000 classes are 4 KB) stays in the L1 cache for its three passes: maximum, exponentials
// with their sum, multiplication by 1/S. A task is as many rows as make 16 K elements.
#include "backends/cpu/kernels/elementwise/row_reduce.h"
#include "backends/cpu/kernels/kernels.h"

namespace limulus::cpu::LIMULUS_ISA {
namespace {

// f(row) for every row, in tasks of 16 K elements. An exponential is worth about ten bytes of
// traffic, which decides how soon threads are worth waking.
template <class T, class F>
LIMULUS_INLINE void for_rows(const Context& ctx, std::int64_t rows, std::int64_t cols, F f) {
  const std::int64_t group = larger(1, 16 * 1024 / larger(1, cols));
  const std::int64_t bytes = rows * cols * (2 * static_cast<std::int64_t>(sizeof(T)) + 10);
  parallel_for(ctx, ceil_div(rows, group), bytes, [=](std::int64_t task, int) {
    const std::int64_t end = smaller(rows, (task + 1) * group);
    for (std::int64_t r = task * group; r < end; ++r) f(r);
  });
}

// y = softmax(x); returns m and S
template <class T>
struct RowSums {
  T max, sum;
};
template <class T>
LIMULUS_INLINE RowSums<T> softmax_row(const T* x, std::int64_t cols, T* y) {
  const T largest = reduce_row(Larger{}, x, cols);
  const Vec<T> m = Vec<T>::set(largest);
  for_lanes<T>(0, cols, [=](auto at) { at.store(y, exp(at.load(x) - m)); });
  const T total = static_cast<T>(sum_in_pieces(y, cols));
  const Vec<T> share = Vec<T>::set(1 / total);  // one division for the row
  for_lanes<T>(0, cols, [=](auto at) { at.store(y, at.load(y) * share); });
  return {largest, total};
}

template <class T>
LIMULUS_INLINE T log_of(T x) {
  alignas(64) T lane[Vec<T>::width];
  log(Vec<T>::set(x)).store(lane);
  return lane[0];
}

}  // namespace

template <class T>
void softmax_forward(const Context& ctx, std::int64_t rows, std::int64_t cols, const T* x, T* y) {
  for_rows<T>(ctx, rows, cols,
              [=](std::int64_t r) { softmax_row(x + r * cols, cols, y + r * cols); });
}

template <class T>
void softmax_backward(const Context& ctx, std::int64_t rows, std::int64_t cols, const T* y,
                      const T* dy, T* dx) {
  for_rows<T>(ctx, rows, cols, [=](std::int64_t r) {
    const T *yr = y + r * cols, *dyr = dy + r * cols;
    T* dxr = dx + r * cols;
    for_lanes<T>(0, cols, [=](auto at) { at.store(dxr, at.load(yr) * at.load(dyr)); });
    const Vec<T> dot = Vec<T>::set(static_cast<T>(sum_in_pieces(dxr, cols)));
    for_lanes<T>(0, cols, [=](auto at) { at.store(dxr, at.load(yr) * (at.load(dyr) - dot)); });
  });
}

template <class T>
void cross_entropy_forward(const Context& ctx, std::int64_t rows, std::int64_t cols, const T* x,
                           const std::int64_t* labels, T* probability, T* loss) {
  for_rows<T>(ctx, rows, cols, [=](std::int64_t r) {
    const T* xr = x + r * cols;
    const RowSums<T> row = softmax_row(xr, cols, probability + r * cols);
    loss[r] = log_of(row.sum) - (xr[labels[r]] - row.max);
  });
}

template <class T>
void cross_entropy_backward(const Context& ctx, std::int64_t rows, std::int64_t cols,
                            const T* probability, const std::int64_t* labels, const T* dloss,
                            T* dx) {
  for_rows<T>(ctx, rows, cols, [=](std::int64_t r) {
    const T* p = probability + r * cols;
    T* dxr = dx + r * cols;
    const Vec<T> d = Vec<T>::set(dloss[r]);
    for_lanes<T>(0, cols, [=](auto at) { at.store(dxr, d * at.load(p)); });
    dxr[labels[r]] = dloss[r] * (p[labels[r]] - 1);
  });
}

template void softmax_forward(const Context&, std::int64_t, std::int64_t, const float*, float*);
template void softmax_forward(const Context&, std::int64_t, std::int64_t, const double*, double*);
template void softmax_backward(const Context&, std::int64_t, std::int64_t, const float*,
                               const float*, float*);
template void softmax_backward(const Context&, std::int64_t, std::int64_t, const double*,
                               const double*, double*);
template void cross_entropy_forward(const Context&, std::int64_t, std::int64_t, const float*,
                                    const std::int64_t*, float*, float*);
template void cross_entropy_forward(const Context&, std::int64_t, std::int64_t, const double*,
                                    const std::int64_t*, double*, double*);
template void cross_entropy_backward(const Context&, std::int64_t, std::int64_t, const float*,
                                     const std::int64_t*, const float*, float*);
template void cross_entropy_backward(const Context&, std::int64_t, std::int64_t, const double*,
                                     const std::int64_t*, const double*, double*);

}  // namespace limulus::cpu::LIMULUS_ISA

// Softmax over rows, and the cross-entropy loss on top of it. For one row x of `cols` scores:
//
//     p_c  = e^(x_c - m) / sum over j of e^(x_j - m)        m = max x
//     loss = log(sum over j of e^(x_j - m)) - (x_label - m)     ( = -log p_label )
//
// Taking out the maximum changes nothing in exact arithmetic, as e^-m cancels; on a computer it
// keeps every power at or below 1. The loss is not computed as -log p_label, which is infinite
// when p_label has become 0.
//
// Gradients:
//     dx_c = p_c (dp_c - sum over j of dp_j p_j)               through softmax alone
//     dx_c = dloss (p_c - [c = label])                        through the loss: what is left of it
#include <algorithm>
#include <cmath>

#include "backends/reference/dispatch.h"
#include "backends/reference/reference_backend.h"

namespace limulus {
namespace reference {
namespace {

struct RowSum {
  Sum max;  // m
  Sum sum;  // of e^(x_j - m)
};

// cols > 0. A NaN in the row makes the sum NaN, also where the maximum overlooks it.
template <class T>
RowSum sum_of_powers(const T* x, std::int64_t cols) {
  const Sum max = *std::max_element(x, x + cols);
  Sum sum = 0;
  for (std::int64_t c = 0; c < cols; ++c) sum += std::exp(x[c] - max);
  return {max, sum};
}

template <class T>
void row_forward(std::int64_t cols, const T* x, T* y) {
  if (cols == 0) return;
  const auto [max, sum] = sum_of_powers(x, cols);
  for (std::int64_t c = 0; c < cols; ++c) y[c] = static_cast<T>(std::exp(x[c] - max) / sum);
}

template <class T>
void row_backward(std::int64_t cols, const T* y, const T* dy, T* dx) {
  Sum dot = 0;
  for (std::int64_t c = 0; c < cols; ++c) dot += Sum{dy[c]} * y[c];
  for (std::int64_t c = 0; c < cols; ++c) dx[c] = static_cast<T>(y[c] * (dy[c] - dot));
}

template <class T>
T row_loss(std::int64_t cols, const T* x, std::int64_t label) {
  const auto [max, sum] = sum_of_powers(x, cols);
  return static_cast<T>(std::log(sum) - (x[label] - max));
}

template <class T>
void row_loss_backward(std::int64_t cols, const T* p, std::int64_t label, T dloss, T* dx) {
  for (std::int64_t c = 0; c < cols; ++c)
    dx[c] = static_cast<T>(dloss * (Sum{p[c]} - (c == label ? 1 : 0)));
}

}  // namespace
}  // namespace reference

void ReferenceBackend::softmax_forward(DType dtype, std::int64_t rows, std::int64_t cols,
                                       const void* x, void* y) {
  using namespace reference;
  const auto trace = traced("softmax_forward", Shape{rows, cols});
  dispatch(dtype, [&]<class T>() {
    for (std::int64_t r = 0; r < rows; ++r)
      row_forward(cols, as<T>(x) + r * cols, as<T>(y) + r * cols);
  });
}

void ReferenceBackend::softmax_backward(DType dtype, std::int64_t rows, std::int64_t cols,
                                        const void* y, const void* dy, void* dx) {
  using namespace reference;
  const auto trace = traced("softmax_backward", Shape{rows, cols});
  dispatch(dtype, [&]<class T>() {
    for (std::int64_t r = 0; r < rows; ++r)
      row_backward(cols, as<T>(y) + r * cols, as<T>(dy) + r * cols, as<T>(dx) + r * cols);
  });
}

void ReferenceBackend::cross_entropy_forward(DType dtype, std::int64_t rows, std::int64_t cols,
                                             const void* x, const void* labels, void* probability,
                                             void* loss) {
  using namespace reference;
  const auto trace = traced("cross_entropy_forward", Shape{rows, cols});
  dispatch(dtype, [&]<class T>() {
    for (std::int64_t r = 0; r < rows; ++r) {
      row_forward(cols, as<T>(x) + r * cols, as<T>(probability) + r * cols);
      as<T>(loss)[r] = row_loss(cols, as<T>(x) + r * cols, as<std::int64_t>(labels)[r]);
    }
  });
}

void ReferenceBackend::cross_entropy_backward(DType dtype, std::int64_t rows, std::int64_t cols,
                                              const void* probability, const void* labels,
                                              const void* dloss, void* dx) {
  using namespace reference;
  const auto trace = traced("cross_entropy_backward", Shape{rows, cols});
  dispatch(dtype, [&]<class T>() {
    for (std::int64_t r = 0; r < rows; ++r)
      row_loss_backward(cols, as<T>(probability) + r * cols, as<std::int64_t>(labels)[r],
                        as<T>(dloss)[r], as<T>(dx) + r * cols);
  });
}

}  // namespace limulus

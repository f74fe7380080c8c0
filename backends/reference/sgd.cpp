// One step of stochastic gradient descent with momentum m, weight decay d and learning rate lr, on
// weights w with gradient g and velocity v:
//
//     the paper's (Krizhevsky et al. 2012, section 5)      PyTorch's
//         v <- m v - d lr w - lr g                             v <- m v + (g + d w)
//         w <- w + v                                           w <- w - lr v
//
// With a constant lr both walk the same path (the paper's v is -lr times PyTorch's). When lr drops,
// the paper's velocity still carries steps of the old size, and PyTorch's shrinks at once.
#include "backends/reference/dispatch.h"
#include "backends/reference/reference_backend.h"

namespace limulus {

void ReferenceBackend::sgd_step(DType dtype, const SgdShape& s, void* w, const void* g, void* v) {
  using namespace reference;
  const auto trace = traced("sgd_step", Shape{s.n});
  const auto [n, lr, m, d, rule] = s;
  dispatch(dtype, [&, n = n, lr = lr, m = m, d = d, rule = rule]<class T>() {
    for (std::int64_t i = 0; i < n; ++i) {
      const double wi = as<T>(w)[i], gi = as<T>(g)[i];
      T& vi = as<T>(v)[i];
      if (rule == SgdRule::paper) {
        vi = static_cast<T>(m * vi - d * lr * wi - lr * gi);
        as<T>(w)[i] = static_cast<T>(wi + vi);
      } else {
        vi = static_cast<T>(m * vi + (gi + d * wi));
        as<T>(w)[i] = static_cast<T>(wi - lr * vi);
      }
    }
  });
}

}  // namespace limulus

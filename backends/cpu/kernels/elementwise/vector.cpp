// The simplest kernels: one pass over long vectors.
//
//   affine      y = scale x + shift
//   accumulate  y = y + x
//   fill        y = value
//   sgd_step    v and w as in core/backend.h (SgdRule)
//
// There is nothing to compute here but a multiplication or two per element, so each runs as fast as
// memory delivers, and the one thing to care about is how often a byte crosses the bus. That is why
// the SGD step updates v and w in one pass (20 bytes per float instead of 44 as separate
// operations), and why large outputs are streamed (parallel.h).
#include "backends/cpu/kernels/kernels.h"
#include "backends/cpu/kernels/simd/parallel.h"

namespace limulus::cpu::LIMULUS_ISA {

template <class T>
void affine(const Context& ctx, std::int64_t n, double scale, double shift, const T* x, T* y) {
  const Vec<T> a = Vec<T>::set(static_cast<T>(scale)), b = Vec<T>::set(static_cast<T>(shift));
  for_elements(ctx, n, 2, x == y ? nullptr : y,
               [=](auto at) { at.store(y, fma(a, at.load(x), b)); });
}

template <class T>
void accumulate(const Context& ctx, std::int64_t n, const T* x, T* y) {
  for_elements<T>(ctx, n, 3, nullptr, [=](auto at) { at.store(y, at.load(y) + at.load(x)); });
}

template <class T>
void fill(const Context& ctx, std::int64_t n, double value, T* y) {
  const Vec<T> v = Vec<T>::set(static_cast<T>(value));
  for_elements(ctx, n, 1, y, [=](auto at) { at.store(y, v); });
}

// The factors are multiplied in double and rounded once.
template <class T>
void sgd_step(const Context& ctx, const SgdShape& s, T* w, const T* g, T* v) {
  const Vec<T> m = Vec<T>::set(static_cast<T>(s.momentum));
  if (s.rule == SgdRule::paper) {  // v <- m v - d lr w - lr g;  w <- w + v
    const Vec<T> minus_d_lr = Vec<T>::set(static_cast<T>(-s.weight_decay * s.lr));
    const Vec<T> minus_lr = Vec<T>::set(static_cast<T>(-s.lr));
    for_elements<T>(ctx, s.n, 5, nullptr, [=](auto at) {
      const Vec<T> wi = at.load(w);
      const Vec<T> vi = fma(m, at.load(v), fma(minus_d_lr, wi, minus_lr * at.load(g)));
      at.store(v, vi);
      at.store(w, wi + vi);
    });
  } else {  // v <- m v + (g + d w);  w <- w - lr v
    const Vec<T> d = Vec<T>::set(static_cast<T>(s.weight_decay));
    const Vec<T> minus_lr = Vec<T>::set(static_cast<T>(-s.lr));
    for_elements<T>(ctx, s.n, 5, nullptr, [=](auto at) {
      const Vec<T> wi = at.load(w);
      const Vec<T> vi = fma(m, at.load(v), fma(d, wi, at.load(g)));
      at.store(v, vi);
      at.store(w, fma(minus_lr, vi, wi));
    });
  }
}

template void affine(const Context&, std::int64_t, double, double, const float*, float*);
template void affine(const Context&, std::int64_t, double, double, const double*, double*);
template void accumulate(const Context&, std::int64_t, const float*, float*);
template void accumulate(const Context&, std::int64_t, const double*, double*);
template void fill(const Context&, std::int64_t, double, float*);
template void fill(const Context&, std::int64_t, double, double*);
template void sgd_step(const Context&, const SgdShape&, float*, const float*, float*);
template void sgd_step(const Context&, const SgdShape&, double*, const double*, double*);

}  // namespace limulus::cpu::LIMULUS_ISA

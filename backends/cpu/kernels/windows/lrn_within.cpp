// Local response normalization within a channel: the window is a square of the same plane.
//
//   forward    y  = x s^-beta,   s = k + alpha * box(x^2)
//   backward   dx = dy s^-beta + x * mirrored_box(r),   r = -2 alpha beta dy s^-beta (x / s)
//
// box(z)[h, w] sums z over rows [h - a, h + b] and columns [w - a, w + b], a = size/2 and
// b = size - 1 - a, clipped to the plane; mirrored_box exchanges a and b (see lrn_across.cpp).
//
// A box is separable: sums along the row first, then sums of those down the column, so that an
// element costs 2 size additions instead of size^2. Along the row, the source is copied into lines
// with zeros at both ends; then every output is a sum of `size` neighbours with no edge to think
// of, and a register computes neighbouring outputs from overlapping loads:
//
//   line  | 0 0 | z0 z1 z2 ... z(W-1) | 0 0 |       out[i] = line[i] + ... + line[i + size - 1]
//
// All lines of a plane are written before the first is read. A load that overlaps two stores still
// on their way to the cache has to wait for both: with one line, written and read at once, these
// kernels took three times as long.
//
// A plane belongs to one thread; what it keeps between the passes (three planes) fits the L2 cache
// for the planes of AlexNet (55 x 55 floats are 12 KB).
#include "backends/cpu/kernels/kernels.h"
#include "backends/cpu/kernels/simd/parallel.h"
#include "backends/cpu/kernels/simd/simd_math.h"
#include "backends/cpu/kernels/windows/lrn_five.h"

namespace limulus::cpu::LIMULUS_ISA {
namespace {

// What the loops over one plane share.
struct BoxFilter {
  std::int64_t h, w, size, before, after;  // a and b above, exchanged for the mirrored box

  std::int64_t line() const { return w + size - 1; }  // its length
  BoxFilter mirrored() const { return {h, w, size, after, before}; }
};

// p[0] + p[step] + ... over `taps` elements. Five (the paper's window) are written out: the loop's
// own instructions cost as much as its additions.
template <class T, class At>
LIMULUS_INLINE Vec<T> sum_of(At at, const T* p, std::int64_t taps, std::int64_t step) {
  if (taps == 5) {
    const Vec<T> pair = at.load(p) + at.load(p + step);
    return pair + (at.load(p + 2 * step) + at.load(p + 3 * step)) + at.load(p + 4 * step);
  }
  return sum_of_terms<T>(taps, [=](std::int64_t t) { return at.load(p + t * step); });
}

// rows[h, w] = sum over the window along the row of f(z); `lines` is a workspace [h, line].
template <class T, class F>
LIMULUS_INLINE void sum_along_rows(const BoxFilter& box, const T* z, T* lines, T* rows, F f) {
  const std::int64_t size = box.size, before = box.before, w = box.w, line = box.line();
  for (std::int64_t h = 0; h < box.h; ++h) {
    const T* from = z + h * w;
    T *to = lines + h * line, *inside = to + before, *behind = inside + w;
    for_lanes<T>(0, before, [=](auto at) { at.store(to, Vec<T>::zero()); });
    for_lanes<T>(0, w, [=](auto at) { at.store(inside, f(at.load(from))); });
    for_lanes<T>(0, size - 1 - before, [=](auto at) { at.store(behind, Vec<T>::zero()); });
  }
  for (std::int64_t h = 0; h < box.h; ++h) {
    const T* from = lines + h * line;
    T* to = rows + h * w;
    for_lanes<T>(0, w, [=](auto at) { at.store(to, sum_of(at, from, size, 1)); });
  }
}

// use(at, sum) with the sum down the window's column, for every element of row h.
template <class T, class F>
LIMULUS_INLINE void sum_down_columns(const BoxFilter& box, const T* rows, std::int64_t h, F use) {
  const std::int64_t first = larger(0, h - box.before), last = smaller(box.h - 1, h + box.after);
  const T* top = rows + first * box.w;
  const std::int64_t taps = last - first + 1, w = box.w;
  for_lanes<T>(0, w, [=](auto at) { use(at, sum_of(at, top, taps, w)); });
}

// Captured by reference: a copy for every row of a plane would take longer than the row.
template <class T>
struct Parameters {
  bool quick, three_quarters;
  ScaleLimits limits;
  Vec<T> alpha, beta, k;
  explicit Parameters(const LrnShape& s)
      : quick(has_paper_powers(s)),
        three_quarters(s.beta == 0.75),
        limits(limits_of(s)),
        alpha(Vec<T>::set(static_cast<T>(s.alpha))),
        beta(Vec<T>::set(static_cast<T>(s.beta))),
        k(Vec<T>::set(static_cast<T>(s.k))) {}
  LIMULUS_INLINE Powers<T> power(Vec<T> s) const {
    if (quick) return paper_powers(s);
    return three_quarters ? minus_three_quarters(s) : minus_power(s, beta);
  }
};

// Where s leaves a float's range: a plane in double, by plain loops (lrn_wide.h).
struct PlaneWindow {
  std::int64_t top, bottom, left, right;  // ends excluded
  PlaneWindow(const BoxFilter& box, std::int64_t h, std::int64_t w)
      : top(larger(0, h - box.before)),
        bottom(smaller(box.h, h + box.after + 1)),
        left(larger(0, w - box.before)),
        right(smaller(box.w, w + box.after + 1)) {}
};
// The sum of f(index) over the window of (h, w).
template <class F>
double wide_sum(const BoxFilter& box, std::int64_t h, std::int64_t w, F f) {
  const PlaneWindow window(box, h, w);
  double sum = 0;
  for (std::int64_t i = window.top; i < window.bottom; ++i)
    for (std::int64_t j = window.left; j < window.right; ++j) sum += f(i * box.w + j);
  return sum;
}
template <class T>
double wide_plane_scale(const LrnShape& s, const BoxFilter& box, const T* x, std::int64_t i) {
  return s.k + s.alpha * wide_sum(box, i / box.w, i % box.w, [=](std::int64_t j) {
                 return static_cast<double>(x[j]) * static_cast<double>(x[j]);
               });
}
template <class T>
void wide_plane_forward(const LrnShape& s, const BoxFilter& box, const T* x, T* y) {
  for (std::int64_t i = 0; i < s.h * s.w; ++i)
    y[i] = static_cast<T>(static_cast<double>(x[i]) *
                          __builtin_pow(wide_plane_scale(s, box, x, i), -s.beta));
}
template <class T>
void wide_plane_backward(const LrnShape& s, const BoxFilter& box, const T* x, const T* dy,
                         double* r, T* dx) {
  for (std::int64_t i = 0; i < s.h * s.w; ++i)
    r[i] = static_cast<double>(dy[i]) * static_cast<double>(x[i]) *
           __builtin_pow(wide_plane_scale(s, box, x, i), -s.beta - 1);
  for (std::int64_t i = 0; i < s.h * s.w; ++i) {
    const double own =
        static_cast<double>(dy[i]) * __builtin_pow(wide_plane_scale(s, box, x, i), -s.beta);
    const double others =
        wide_sum(box.mirrored(), i / box.w, i % box.w, [=](std::int64_t j) { return r[j]; });
    dx[i] = static_cast<T>(own - 2 * s.alpha * s.beta * static_cast<double>(x[i]) * others);
  }
}

BoxFilter box_of(const LrnShape& s) {
  const std::int64_t before = s.size / 2;
  return {s.h, s.w, s.size, before, s.size - 1 - before};
}

}  // namespace

template <class T>
void lrn_within_forward(const Context& ctx, const LrnShape& s, const T* x, T* y) {
  const BoxFilter box = box_of(s);
  const Parameters<T> p(s);
  const std::int64_t plane = s.h * s.w, item = static_cast<std::int64_t>(sizeof(T));
  const std::int64_t per_thread = lines_apart<T>(box.h * box.line() + plane);
  const Scratch scratch(ctx, ctx.threads * per_thread * item);
  T* all = scratch.template as<T>();
  for_planes(ctx, s.n * s.c, 2 * plane * item, [=, &s](std::int64_t task, int thread) {
    T* lines = all + thread * per_thread;
    T* rows = lines + box.h * box.line();
    const T* xp = x + task * plane;
    T* yp = y + task * plane;
    ScaleRange<T> range;
    sum_along_rows(box, xp, lines, rows, [](Vec<T> v) { return v * v; });
    for (std::int64_t h = 0; h < box.h; ++h) {
      const T* xr = xp + h * box.w;
      T* yr = yp + h * box.w;
      sum_down_columns(box, rows, h, [=, &p, &range](auto at, Vec<T> sum) {
        const Vec<T> scale = fma(p.alpha, sum, p.k);
        range.see(scale);
        at.store(yr, at.load(xr) * p.power(scale).p);
      });
    }
    if (range.left(p.limits)) wide_plane_forward(s, box, xp, yp);
  });
}

template <class T>
void lrn_within_backward(const Context& ctx, const LrnShape& s, const T* x, const T* dy, T* dx) {
  const BoxFilter box = box_of(s), mirrored = box.mirrored();
  const Parameters<T> p(s);
  const Vec<T> factor = Vec<T>::set(static_cast<T>(-2 * s.alpha * s.beta));
  const std::int64_t plane = s.h * s.w, item = static_cast<std::int64_t>(sizeof(T));
  const std::int64_t per_thread = lines_apart<T>(box.h * box.line() + 2 * plane);
  const std::int64_t wide = lines_apart<double>(plane);
  const Scratch scratch(ctx, ctx.threads * (per_thread * item + wide * 8));
  T* all = scratch.template as<T>();
  double* all_wide = reinterpret_cast<double*>(all + ctx.threads * per_thread);
  for_planes(ctx, s.n * s.c, 3 * plane * item, [=, &s](std::int64_t task, int thread) {
    T* lines = all + thread * per_thread;
    T* rows = lines + box.h * box.line();
    T* r = rows + plane;
    const T* xp = x + task * plane;
    const T* dyp = dy + task * plane;
    T* dxp = dx + task * plane;
    ScaleRange<T> range;
    sum_along_rows(box, xp, lines, rows, [](Vec<T> v) { return v * v; });
    for (std::int64_t h = 0; h < box.h; ++h) {  // dx <- dy s^-beta, and r
      const std::int64_t row = h * box.w;
      const T* xr = xp + row;
      const T* dyr = dyp + row;
      T* dxr = dxp + row;
      T* rr = r + row;
      sum_down_columns(box, rows, h, [=, &p, &range](auto at, Vec<T> sum) {
        const Vec<T> scale = fma(p.alpha, sum, p.k);
        range.see(scale);
        const Powers<T> powers = p.power(scale);
        const Vec<T> own = at.load(dyr) * powers.p;
        at.store(dxr, own);
        at.store(rr, factor * own * (at.load(xr) * powers.inverse));
      });
    }
    sum_along_rows(mirrored, r, lines, rows, [](Vec<T> v) { return v; });
    for (std::int64_t h = 0; h < box.h; ++h) {
      const T* xr = xp + h * box.w;
      T* dxr = dxp + h * box.w;
      sum_down_columns(mirrored, rows, h, [=](auto at, Vec<T> sum) {
        at.store(dxr, fma(at.load(xr), sum, at.load(dxr)));
      });
    }
    if (range.left(p.limits)) wide_plane_backward(s, box, xp, dyp, all_wide + thread * wide, dxp);
  });
}

template void lrn_within_forward(const Context&, const LrnShape&, const float*, float*);
template void lrn_within_forward(const Context&, const LrnShape&, const double*, double*);
template void lrn_within_backward(const Context&, const LrnShape&, const float*, const float*,
                                  float*);
template void lrn_within_backward(const Context&, const LrnShape&, const double*, const double*,
                                  double*);

}  // namespace limulus::cpu::LIMULUS_ISA

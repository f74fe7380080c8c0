#pragma once
// The maxima over the windows of one plane, for max_pool.cpp and lrn_max_pool.cpp.
//
//     y[oh, ow] = max over the window's taps in the image of x[oh S - P + fh D, ow S - P + fw D]
//
// The letters: oh, ow a window; fh, fw a tap in it; S stride, P padding, D dilation. Among equal
// maxima the first in row-major order wins, and a NaN wins over all numbers.
//
// There are two ways. AlexNet's windows, 3 x 3 with a stride of 2 and all inside, have loops that
// compare each row of taps once for both windows that it belongs to (`pool_three_plane`). All other
// windows go the way that the rest of this comment describes:
//
// A register holds neighbouring windows of one output row. For each tap, the values that the
// windows see there are every S-th element of an input row (pool_geometry.h); the register of
// maxima and the register of winning taps are updated where the tap is larger. Taps are visited in
// row-major order, so "strictly larger" keeps the first. The winner is kept as its distance from
// the window's first element, in a floating lane of the same width (exact up to 2^24 in float; such
// a window would span 64 MiB), and becomes an integer once at the end. Windows that hang over the
// image's left or right edge go one by one.
//
// A row of 13 windows does not fill a register of 16. Its loads run on into the next row, and the
// surplus lanes are not stored (lanes_to_load). Measured (128 x 256 planes of 27 x 27, 3 x 3
// windows, stride 2, one core of an AMD EPYC, Zen 5, AVX-512): 7.7 ms, against 21 ms with partial
// loads. (Those planes now go the first way, in less than half of the time: README.md.)
#include "backends/cpu/kernels/windows/pool_geometry.h"

namespace limulus::cpu::LIMULUS_ISA {

// ---- windows of any kind ---------------------------------------------------------------------

// One window, tap by tap. If no tap is inside the image, y is -inf and argmax is -1.
template <class T>
inline void pool_one(const Window2d& win, const T* x, Range fh, std::int64_t oh, std::int64_t ow,
                     T* y, std::int32_t* argmax) {
  const Range fw = taps_inside(win.w, ow);
  const std::int64_t h0 = oh * win.h.stride - win.h.pad, w0 = ow * win.w.stride - win.w.pad;
  T best = static_cast<T>(-__builtin_inf());
  std::int64_t where = -1;
  for (std::int64_t i = fh.begin; i < fh.end; ++i)
    for (std::int64_t j = fw.begin; j < fw.end; ++j) {
      const std::int64_t at = (h0 + i * win.h.dilation) * win.w.in + w0 + j * win.w.dilation;
      const T v = x[at];
      // NOLINTNEXTLINE(misc-redundant-expression): only NaN differs from itself
      if (where < 0 || v > best || (v != v && best == best)) {
        best = v;
        where = at;
      }
    }
  *y = best;
  if (argmax != nullptr) *argmax = static_cast<std::int32_t>(where);
}

// `n` neighbouring windows (at most a register) whose columns lie inside; x points at the first
// window's first tap inside. Registers are loaded with `lanes` windows, n or all. KERNEL is the
// number of taps in a row, 0 for any.
template <int STRIDE, int KERNEL, class T>
LIMULUS_INLINE void pool_lanes(const Window2d& win, const T* x, std::int64_t rows, int n, int lanes,
                               std::int64_t position, T* y, std::int32_t* argmax) {
  const std::int64_t taps = KERNEL ? KERNEL : win.w.kernel, stride = win.w.stride;
  const std::int64_t step = win.w.dilation, row_step = win.h.dilation * win.w.in;
  const Vec<T> tap_offset = Vec<T>::set(static_cast<T>(step));
  const Vec<T> row_offset = Vec<T>::set(static_cast<T>(row_step));
  Vec<T> best = load_strided<STRIDE>(x, lanes, stride), where = Vec<T>::zero();
  Vec<T> row_begin = Vec<T>::zero();
  for (std::int64_t i = 0; i < rows; ++i) {
    Vec<T> offset = row_begin;
    for (std::int64_t j = 0; j < taps; ++j) {  // the very first tap does not beat itself
      const Vec<T> v = load_strided<STRIDE>(x + i * row_step + j * step, lanes, stride);
      const auto better = wins(v, best);
      best = select(better, v, best);
      where = select(better, offset, where);
      offset = offset + tap_offset;
    }
    row_begin = row_begin + row_offset;
  }
  best.store_n(y, n);
  if (argmax != nullptr)
    store_position(argmax, n, where, static_cast<int>(position), static_cast<int>(stride));
}

template <int STRIDE, int KERNEL, class T>
inline void pool_any_plane(const Window2d& win, const T* x, const T* array_end, T* y,
                           std::int32_t* argmax) {
  constexpr int width = Vec<T>::width;
  const Range inside = windows_inside(win.w);
  for (std::int64_t oh = 0; oh < win.h.out; ++oh) {
    const Range fh = taps_inside(win.h, oh);
    T* yr = y + oh * win.w.out;
    // A null pointer plus a distance is not null, so each place asks.
    const auto place = [=](std::int64_t ow) {
      return argmax == nullptr ? nullptr : argmax + oh * win.w.out + ow;
    };
    const Range vectors = fh.count() > 0 ? inside : Range{win.w.out, win.w.out};
    for (std::int64_t ow = 0; ow < vectors.begin; ++ow)
      pool_one(win, x, fh, oh, ow, yr + ow, place(ow));
    const std::int64_t row = oh * win.h.stride - win.h.pad + fh.begin * win.h.dilation;
    const std::int64_t last_tap =
        (fh.count() - 1) * win.h.dilation * win.w.in + (win.w.kernel - 1) * win.w.dilation;
    for (std::int64_t ow = vectors.begin; ow < vectors.end; ow += width) {
      const std::int64_t at = row * win.w.in + ow * win.w.stride - win.w.pad;
      const int n = static_cast<int>(smaller(width, vectors.end - ow));
      const int lanes = n == width ? n : lanes_to_load<STRIDE>(x + at, last_tap, n, array_end);
      if (lanes == width)  // a constant, so that no load is partial
        pool_lanes<STRIDE, KERNEL>(win, x + at, fh.count(), n, width, at, yr + ow, place(ow));
      else
        pool_lanes<STRIDE, KERNEL>(win, x + at, fh.count(), n, n, at, yr + ow, place(ow));
    }
    for (std::int64_t ow = larger(vectors.begin, vectors.end); ow < win.w.out; ++ow)
      pool_one(win, x, fh, oh, ow, yr + ow, place(ow));
  }
}

// ---- windows of 3 x 3 with a stride of 2, all of them inside -----------------------------------
//
// The maximum over a window is the maximum over its three rows of the maximum over the three taps
// of a row. A row's maxima serve two windows, the one that ends with the row and the one that
// begins:
//
//     input row    0     1     2     3     4          a register of windows walks down the plane,
//     window 0    [m     m     m]                     and takes the maxima of row 2 along
//     window 1                [m     m     m]
//
// which leaves 2 rows of taps for each row of windows instead of 3. With the winner's column kept
// beside a row's maximum, "strictly larger" first along the row and then down the rows still finds
// the first maximum in row-major order.

template <class T>
struct RowMaxima {
  Vec<T> max, column;  // column: 0, 1 or 2 of the window
};

template <bool POSITIONS, class T>
LIMULUS_INLINE void take_larger(Vec<T> v, Vec<T> where, Vec<T>* best, Vec<T>* best_where) {
  const auto better = wins(v, *best);
  *best = select(better, v, *best);
  if (POSITIONS) *best_where = select(better, where, *best_where);
}

// The taps of `n` windows in one row; p is the first window's first tap. FULL: whole registers may
// be read.
template <bool POSITIONS, bool FULL, class T>
LIMULUS_INLINE RowMaxima<T> row_maxima(const T* p, int n) {
  constexpr int width = Vec<T>::width;
  Vec<T> tap0, tap1, tap2;
  if constexpr (FULL) {  // taps 0 and 1 are what the even and the odd places of two registers hold
    const Vec<T> a = Vec<T>::load(p), b = Vec<T>::load(p + width);
    tap0 = even_places(a, b);
    tap1 = odd_places(a, b);
    tap2 = load_strided<2>(p + 2, width, 2);
  } else {
    tap0 = load_strided<2>(p, n, 2);
    tap1 = load_strided<2>(p + 1, n, 2);
    tap2 = load_strided<2>(p + 2, n, 2);
  }
  RowMaxima<T> m{tap0, Vec<T>::zero()};
  take_larger<POSITIONS>(tap1, Vec<T>::set(1), &m.max, &m.column);
  take_larger<POSITIONS>(tap2, Vec<T>::set(2), &m.max, &m.column);
  return m;
}

// Windows ow .. ow + n - 1 of all rows of windows.
template <bool POSITIONS, class T>
LIMULUS_INLINE void pool_three_strip(const Window2d& win, const T* x, const T* array_end,
                                     std::int64_t ow, int n, T* y, std::int32_t* argmax) {
  const std::int64_t in = win.w.in, out = win.w.out, windows = win.h.out * out;
  const T* p = x + 2 * ow;
  const auto maxima = [=](const T* row) {
    return array_end - row > 2 * Vec<T>::width ? row_maxima<POSITIONS, true>(row, n)
                                               : row_maxima<POSITIONS, false>(row, n);
  };
  const Vec<T> one_row = Vec<T>::set(static_cast<T>(in));
  RowMaxima<T> last = maxima(p);
  for (std::int64_t oh = 0; oh < win.h.out; ++oh) {
    Vec<T> best = last.max, where = last.column;
    const RowMaxima<T> middle = maxima(p + (2 * oh + 1) * in);
    last = maxima(p + (2 * oh + 2) * in);
    take_larger<POSITIONS>(middle.max, middle.column + one_row, &best, &where);
    take_larger<POSITIONS>(last.max, last.column + (one_row + one_row), &best, &where);
    // A row of fewer windows than a register may run on into the next row, which is written later.
    const std::int64_t at = oh * out + ow;
    const int lanes = at + Vec<T>::width <= windows ? Vec<T>::width : n;
    if (lanes == Vec<T>::width)
      best.store(y + at);
    else
      best.store_n(y + at, n);
    if (POSITIONS)
      store_position(argmax + at, lanes, where, static_cast<int>(2 * (oh * in + ow)), 2);
  }
}

template <bool POSITIONS, class T>
inline void pool_three_plane(const Window2d& win, const T* x, const T* array_end, T* y,
                             std::int32_t* argmax) {
  constexpr int width = Vec<T>::width;
  const std::int64_t out = win.w.out;
  for (std::int64_t ow = 0; ow < out; ow += width) {
    // The last strip moves back over windows that are already done, so that it is never partial.
    const std::int64_t first = out < width ? 0 : smaller(ow, out - width);
    pool_three_strip<POSITIONS>(win, x, array_end, first, static_cast<int>(smaller(width, out)), y,
                                argmax);
  }
}

// ---- a plane ------------------------------------------------------------------------------------

// y and (unless null) argmax of one plane x, which lies in an array that ends at array_end.
template <class T>
using PoolPlane = void (*)(const Window2d& win, const T* x, const T* array_end, T* y,
                           std::int32_t* argmax);

// 3 x 3 windows with a stride of 2, none of which hangs over an edge.
inline bool is_pool_three(const Window2d& win) {
  const auto along = [](const Window1d& w) {
    const Range inside = windows_inside(w);
    return w.kernel == 3 && w.stride == 2 && w.dilation == 1 && w.pad == 0 && inside.begin == 0 &&
           inside.end == w.out;
  };
  return along(win.h) && along(win.w);
}

template <class T>
inline PoolPlane<T> pool_plane_for(const Window2d& win, bool with_argmax) {
  if (is_pool_three(win))
    return with_argmax ? pool_three_plane<true, T> : pool_three_plane<false, T>;
  if (win.w.stride == 1) return pool_any_plane<1, 0, T>;
  if (win.w.stride == 2) return pool_any_plane<2, 0, T>;
  return pool_any_plane<0, 0, T>;
}

}  // namespace limulus::cpu::LIMULUS_ISA

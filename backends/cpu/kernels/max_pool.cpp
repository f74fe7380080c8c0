// Max pooling.
//
//   forward    y[n,c,oh,ow] = max over the window's taps inside the image of
//                             x[n, c, oh S - P + fh D, ow S - P + fw D]
//   backward   dx[n, c, argmax] += dy
//
// The letters: oh, ow a window; fh, fw a tap in it; S stride, P padding, D dilation. Among equal
// maxima the first in row-major order wins, and a NaN wins over all numbers.
//
// Forward, a register holds neighbouring windows of one output row. For each tap, the values that
// the windows see there are every S-th element of an input row (pool_geometry.h); the register of
// maxima and the register of winning taps are updated where the tap is larger. Taps are visited in
// row-major order, so "strictly larger" keeps the first. The winner is kept as its distance from
// the window's first element, in a floating lane of the same width (exact up to 2^24 in float; such
// a window would span 64 MiB), and becomes an integer once at the end. Windows that hang over the
// image's left or right edge go one by one.
//
// A row of 13 windows does not fill a register of 16. Its loads run on into the next row, and the
// surplus lanes are not stored (lanes_to_load). Measured (128 x 256 planes of 27 x 27, 3 x 3
// windows, stride 2, one core of an AMD EPYC, Zen 5, AVX-512): 7.7 ms, against 21 ms with partial
// loads.
//
// Backward, windows overlap (AlexNet: 3 x 3 windows at stride 2), so two of them may name the same
// element: a plane belongs to one thread, which adds in row-major order. No atomics, fixed order.
#include "backends/cpu/kernels/memory_kernels.h"
#include "backends/cpu/kernels/pool_geometry.h"

namespace limulus::cpu::LIMULUS_ISA {
namespace {

// ---- per instruction set: comparing with NaN, and storing positions ----------------------------

#ifdef __AVX512F__
// v takes the place of `best`: larger, or the first NaN.
LIMULUS_INLINE __mmask16 wins(Vec<float> v, Vec<float> best) {
  const __mmask16 number = _mm512_cmp_ps_mask(best.v, best.v, _CMP_ORD_Q);
  return _mm512_mask_cmp_ps_mask(number, v.v, best.v, _CMP_NLE_UQ);
}
LIMULUS_INLINE __mmask8 wins(Vec<double> v, Vec<double> best) {
  const __mmask8 number = _mm512_cmp_pd_mask(best.v, best.v, _CMP_ORD_Q);
  return _mm512_mask_cmp_pd_mask(number, v.v, best.v, _CMP_NLE_UQ);
}
// p[i] = offset[i] + first + i * step for the first n lanes
LIMULUS_INLINE void store_position(std::int32_t* p, int n, Vec<float> offset, int first, int step) {
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i start =
      _mm512_add_epi32(_mm512_set1_epi32(first), _mm512_mullo_epi32(lane, _mm512_set1_epi32(step)));
  _mm512_mask_storeu_epi32(p, static_cast<__mmask16>((1u << n) - 1),
                           _mm512_add_epi32(start, _mm512_cvtps_epi32(offset.v)));
}
LIMULUS_INLINE void store_position(std::int32_t* p, int n, Vec<double> offset, int first,
                                   int step) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i start =
      _mm256_add_epi32(_mm256_set1_epi32(first), _mm256_mullo_epi32(lane, _mm256_set1_epi32(step)));
  _mm256_mask_storeu_epi32(p, static_cast<__mmask8>((1u << n) - 1),
                           _mm256_add_epi32(start, _mm512_cvtpd_epi32(offset.v)));
}
#else
LIMULUS_INLINE Vec<float>::Mask wins(Vec<float> v, Vec<float> best) {
  return {_mm256_and_ps(_mm256_cmp_ps(best.v, best.v, _CMP_ORD_Q),
                        _mm256_cmp_ps(v.v, best.v, _CMP_NLE_UQ))};
}
LIMULUS_INLINE Vec<double>::Mask wins(Vec<double> v, Vec<double> best) {
  return {_mm256_and_pd(_mm256_cmp_pd(best.v, best.v, _CMP_ORD_Q),
                        _mm256_cmp_pd(v.v, best.v, _CMP_NLE_UQ))};
}
LIMULUS_INLINE void store_position(std::int32_t* p, int n, Vec<float> offset, int first, int step) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i start =
      _mm256_add_epi32(_mm256_set1_epi32(first), _mm256_mullo_epi32(lane, _mm256_set1_epi32(step)));
  _mm256_maskstore_epi32(p, Vec<float>::first(n),
                         _mm256_add_epi32(start, _mm256_cvtps_epi32(offset.v)));
}
LIMULUS_INLINE void store_position(std::int32_t* p, int n, Vec<double> offset, int first,
                                   int step) {
  const __m128i lane = _mm_setr_epi32(0, 1, 2, 3);
  const __m128i start =
      _mm_add_epi32(_mm_set1_epi32(first), _mm_mullo_epi32(lane, _mm_set1_epi32(step)));
  _mm_maskstore_epi32(p, _mm256_castsi256_si128(Vec<float>::first(n)),
                      _mm_add_epi32(start, _mm256_cvtpd_epi32(offset.v)));
}
#endif

// ---- forward -----------------------------------------------------------------------------------

// One window, tap by tap. A window without a tap inside the image has no maximum: -inf, nowhere.
template <class T>
void pool_one(const Window2d& win, const T* x, Range fh, std::int64_t oh, std::int64_t ow, T* y,
              std::int32_t* argmax) {
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
  *argmax = static_cast<std::int32_t>(where);
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
  store_position(argmax, n, where, static_cast<int>(position), static_cast<int>(stride));
}

template <int STRIDE, int KERNEL, class T>
void pool_plane(const Window2d& win, const T* x, const T* array_end, T* y, std::int32_t* argmax) {
  constexpr int width = Vec<T>::width;
  const Range inside = windows_inside(win.w);
  for (std::int64_t oh = 0; oh < win.h.out; ++oh) {
    const Range fh = taps_inside(win.h, oh);
    T* yr = y + oh * win.w.out;
    std::int32_t* ar = argmax + oh * win.w.out;
    const Range vectors = fh.count() > 0 ? inside : Range{win.w.out, win.w.out};
    for (std::int64_t ow = 0; ow < vectors.begin; ++ow)
      pool_one(win, x, fh, oh, ow, yr + ow, ar + ow);
    const std::int64_t row = oh * win.h.stride - win.h.pad + fh.begin * win.h.dilation;
    const std::int64_t last_tap =
        (fh.count() - 1) * win.h.dilation * win.w.in + (win.w.kernel - 1) * win.w.dilation;
    for (std::int64_t ow = vectors.begin; ow < vectors.end; ow += width) {
      const std::int64_t at = row * win.w.in + ow * win.w.stride - win.w.pad;
      const int n = static_cast<int>(smaller(width, vectors.end - ow));
      const int lanes = n == width ? n : lanes_to_load<STRIDE>(x + at, last_tap, n, array_end);
      if (lanes == width)  // a constant, so that no load is partial
        pool_lanes<STRIDE, KERNEL>(win, x + at, fh.count(), n, width, at, yr + ow, ar + ow);
      else
        pool_lanes<STRIDE, KERNEL>(win, x + at, fh.count(), n, n, at, yr + ow, ar + ow);
    }
    for (std::int64_t ow = larger(vectors.begin, vectors.end); ow < win.w.out; ++ow)
      pool_one(win, x, fh, oh, ow, yr + ow, ar + ow);
  }
}

// Planes that one task takes, so that it moves about 64 KiB.
LIMULUS_INLINE std::int64_t planes_per_task(std::int64_t plane_bytes) {
  return larger(1, 64 * 1024 / larger(1, plane_bytes));
}

}  // namespace

template <class T>
void max_pool2d_forward(const Context& ctx, const Pool2dShape& s, const T* x, T* y,
                        std::int32_t* argmax) {
  const Window2d win = s.window;
  const std::int64_t planes = s.n * s.c, in = win.h.in * win.w.in, out = win.h.out * win.w.out;
  const std::int64_t bytes = (in + out) * static_cast<std::int64_t>(sizeof(T)) + out * 4;
  const std::int64_t group = planes_per_task(bytes);
  const Scratch unused(ctx, argmax == nullptr ? planes * out * 4 : 0);
  if (argmax == nullptr) argmax = unused.as<std::int32_t>();
  auto* plane_kernel = pool_plane<0, 0, T>;
  if (win.w.stride == 1) plane_kernel = pool_plane<1, 0, T>;
  if (win.w.stride == 2) plane_kernel = pool_plane<2, 0, T>;
  if (win.w.stride == 2 && win.w.kernel == 2) plane_kernel = pool_plane<2, 2, T>;
  if (win.w.stride == 2 && win.w.kernel == 3) plane_kernel = pool_plane<2, 3, T>;
  parallel_for(ctx, ceil_div(planes, group), planes * bytes, [=](std::int64_t task, int) {
    const std::int64_t end = smaller(planes, (task + 1) * group);
    for (std::int64_t p = task * group; p < end; ++p)
      plane_kernel(win, x + p * in, x + planes * in, y + p * out, argmax + p * out);
  });
}

template <class T>
void max_pool2d_backward(const Context& ctx, const Pool2dShape& s, const T* dy,
                         const std::int32_t* argmax, T* dx) {
  const std::int64_t planes = s.n * s.c;
  const std::int64_t in = s.window.h.in * s.window.w.in, out = s.window.h.out * s.window.w.out;
  const std::int64_t bytes = (in + out) * static_cast<std::int64_t>(sizeof(T)) + out * 4;
  const std::int64_t group = planes_per_task(bytes);
  parallel_for(ctx, ceil_div(planes, group), planes * bytes, [=](std::int64_t task, int) {
    const std::int64_t end = smaller(planes, (task + 1) * group);
    for (std::int64_t p = task * group; p < end; ++p) {
      const T* dyp = dy + p * out;
      const std::int32_t* ap = argmax + p * out;
      T* dxp = dx + p * in;
      for_lanes<T>(0, in, [=](auto at) { at.store(dxp, Vec<T>::zero()); });
      for (std::int64_t i = 0; i < out; ++i)
        if (ap[i] >= 0) dxp[ap[i]] += dyp[i];
    }
  });
}

template void max_pool2d_forward(const Context&, const Pool2dShape&, const float*, float*,
                                 std::int32_t*);
template void max_pool2d_forward(const Context&, const Pool2dShape&, const double*, double*,
                                 std::int32_t*);
template void max_pool2d_backward(const Context&, const Pool2dShape&, const float*,
                                  const std::int32_t*, float*);
template void max_pool2d_backward(const Context&, const Pool2dShape&, const double*,
                                  const std::int32_t*, double*);

}  // namespace limulus::cpu::LIMULUS_ISA

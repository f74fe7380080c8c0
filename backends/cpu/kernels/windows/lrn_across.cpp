// Local response normalization across channels (Krizhevsky et al. 2012, section 3.3).
//
//   forward    y_i  = x_i s_i^-beta,   s_i = k + alpha * sum of x_j^2,  j in [i - a, i + b]
//   backward   dx_i = dy_i s_i^-beta + x_i * sum of r_j,   j in [i - b, i + a]
//              r_j  = -2 alpha beta dy_j s_j^-beta (x_j / s_j)
//
// In this order r_j is never much larger than dx. If s leaves a float's range, see lrn_wide.h.
//
// with a = size/2 channels behind and b = size - 1 - a ahead, clipped to [0, C). The backward sum
// runs over the channels whose window holds i, so behind and ahead change places: for an even size
// that matters.
//
// How the loops are cut. Channels are planes of H*W pixels, and pixels do not mix: a register holds
// neighbouring pixels of one channel. A task is 16 KiB of pixels of one image, and walks over all
// channels. The rows that the window needs again then lie in the L2 cache (5 channels of 16 KiB
// forward; rings of 5 and 3 such rows backward), so every byte crosses the memory bus once:
//
//        channel ->  i-2   i-1    i    i+1   i+2
//   16 KiB of pixels [ x ] [ x ] [ x ] [ x ] [ x ]   -> s_i -> y_i
//
// The sum of squares is computed afresh for each channel. Adding the channel that enters and
// subtracting the one that leaves would save three additions that nobody waits for, but would carry
// along the rounding errors of all channels before, and a NaN for ever.
//
// Windows of five channels and beta = 3/4, the paper's, have loops of their own (lrn_five.h, and
// the second half of this file); the general ones serve every other size and exponent. There s^-3/4
// is two square roots and two divisions, and any other beta goes through exp and log (simd_math.h).
#include "backends/cpu/kernels/kernels.h"
#include "backends/cpu/kernels/simd/parallel.h"
#include "backends/cpu/kernels/simd/simd_math.h"
#include "backends/cpu/kernels/windows/lrn_five.h"

namespace limulus::cpu::LIMULUS_ISA {
namespace {

template <class T>
struct ThreeQuarters {
  LIMULUS_INLINE Powers<T> operator()(Vec<T> s) const { return minus_three_quarters(s); }
};
template <class T>
struct AnyBeta {
  Vec<T> beta;
  LIMULUS_INLINE Powers<T> operator()(Vec<T> s) const { return minus_power(s, beta); }
};

// The pixels of one task: 16 KiB of a channel.
template <class T>
constexpr std::int64_t block_pixels = 16384 / sizeof(T);

// fn.template operator()<TAPS>(): TAPS is 5 for a window of five channels, 0 for any other.
template <class F>
LIMULUS_INLINE void with_taps(std::int64_t taps, F fn) {
  if (taps == 5) return fn.template operator()<5>();
  fn.template operator()<0>();
}

// k + alpha * (sum of squares over `taps` channels, the first at x)
template <int TAPS, class T, class At>
LIMULUS_INLINE Vec<T> scale_of(At at, const T* x, std::int64_t taps, std::int64_t plane,
                               Vec<T> alpha, Vec<T> k) {
  Vec<T> sum = Vec<T>::zero();
  if constexpr (TAPS == 0) {
    sum = sum_of_terms<T>(taps, [=](std::int64_t j) {
      const Vec<T> v = at.load(x + j * plane);
      return v * v;
    });
  } else {
#pragma GCC unroll 5
    for (std::int64_t j = 0; j < TAPS; ++j) {
      const Vec<T> v = at.load(x + j * plane);
      sum = fma(v, v, sum);
    }
  }
  return fma(alpha, sum, k);
}

template <class T, class Power>
void forward(const Context& ctx, const LrnShape& s, const T* x, T* y, Power power) {
  constexpr std::int64_t row = block_pixels<T>;
  const std::int64_t plane = s.h * s.w, channels = s.c;
  const std::int64_t behind = s.size / 2, ahead = s.size - 1 - behind;
  const std::int64_t blocks = ceil_div(plane, row);
  const std::int64_t bytes = s.n * channels * plane * static_cast<std::int64_t>(sizeof(T));
  const bool stream = bytes >= stream_bytes;
  const Vec<T> alpha = Vec<T>::set(static_cast<T>(s.alpha)), k = Vec<T>::set(static_cast<T>(s.k));
  const LrnShape* shape = &s;

  parallel_for(ctx, s.n * blocks, 2 * bytes, [=](std::int64_t task, int) {
    const std::int64_t begin = task % blocks * row, count = smaller(row, plane - begin);
    const std::int64_t offset = task / blocks * channels * plane + begin;
    for (std::int64_t i = 0; i < channels; ++i) {
      const std::int64_t first = larger(0, i - behind), last = smaller(channels - 1, i + ahead);
      const std::int64_t taps = last - first + 1;
      const T* window = x + offset + first * plane;
      const T* xi = x + offset + i * plane;
      T* yi = y + offset + i * plane;
      ScaleRange<T> range;
      with_taps(taps, [=, &range]<int TAPS>() {
        for_lanes_to(yi, 0, count, stream, [=, &range](auto at) {
          const Vec<T> scale = scale_of<TAPS>(at, window, taps, plane, alpha, k);
          range.see(scale);
          at.store(yi, at.load(xi) * power(scale).p);
        });
      });
      if (range.left(limits_of(*shape))) wide_forward(*shape, x + offset, i, count, yi);
    }
    stream_done(stream);
  });
}

// One pass over the channels: at channel j its r_j and dy_j s_j^-beta enter two rings of rows, and
// channel i = j - behind, whose sum is now complete, leaves.
template <class T, class Power>
void backward(const Context& ctx, const LrnShape& s, const T* x, const T* dy, T* dx, Power power) {
  constexpr std::int64_t row = block_pixels<T>;
  const std::int64_t plane = s.h * s.w, channels = s.c;
  const std::int64_t behind = s.size / 2, ahead = s.size - 1 - behind;
  const std::int64_t r_rows = smaller(s.size, channels), q_rows = smaller(behind + 1, channels);
  const std::int64_t blocks = ceil_div(plane, row);
  const std::int64_t bytes = s.n * channels * plane * static_cast<std::int64_t>(sizeof(T));
  const bool stream = bytes >= stream_bytes;
  const std::int64_t ring = (r_rows + q_rows) * row;
  const std::int64_t wide = lines_apart<double>(channels);  // what wide_backward needs
  const std::int64_t ring_bytes = ctx.threads * ring * static_cast<std::int64_t>(sizeof(T));
  const Scratch rings(ctx, ring_bytes + ctx.threads * wide * 8);
  T* all_rings = rings.template as<T>();
  double* all_wide = reinterpret_cast<double*>(rings.template as<char>() + ring_bytes);
  const LrnShape* shape = &s;
  const Vec<T> alpha = Vec<T>::set(static_cast<T>(s.alpha)), k = Vec<T>::set(static_cast<T>(s.k));
  const Vec<T> factor = Vec<T>::set(static_cast<T>(-2 * s.alpha * s.beta));

  parallel_for(ctx, s.n * blocks, 3 * bytes, [=](std::int64_t task, int thread) {
    const std::int64_t begin = task % blocks * row, count = smaller(row, plane - begin);
    const std::int64_t offset = task / blocks * channels * plane + begin;
    T* r = all_rings + thread * ring;  // [r_rows, row]
    T* q = r + r_rows * row;           // [q_rows, row]
    ScaleRange<T> range;
    for (std::int64_t j = 0; j < channels + behind; ++j) {
      if (j < channels) {
        const std::int64_t first = larger(0, j - behind), last = smaller(channels - 1, j + ahead);
        const std::int64_t taps = last - first + 1;
        const T* window = x + offset + first * plane;
        const T* xj = x + offset + j * plane;
        const T* dyj = dy + offset + j * plane;
        T* rj = r + j % r_rows * row;
        T* qj = q + j % q_rows * row;
        with_taps(taps, [=, &range]<int TAPS>() {
          for_lanes<T>(0, count, [=, &range](auto at) {
            const Vec<T> scale = scale_of<TAPS>(at, window, taps, plane, alpha, k);
            range.see(scale);
            const Powers<T> powers = power(scale);
            const Vec<T> own = at.load(dyj) * powers.p;
            at.store(qj, own);
            at.store(rj, factor * own * (at.load(xj) * powers.inverse));
          });
        });
      }
      const std::int64_t i = j - behind;
      if (i < 0) continue;
      const std::int64_t first = larger(0, i - ahead), last = smaller(channels - 1, i + behind);
      // The rows first .. last of the ring: `head` up to its end, the others from its beginning.
      const std::int64_t taps = last - first + 1, start = first % r_rows;
      const std::int64_t head = smaller(taps, r_rows - start);
      const T* xi = x + offset + i * plane;
      const T* qi = q + i % q_rows * row;
      T* dxi = dx + offset + i * plane;
      const auto finish = [=](auto at, Vec<T> sum) {
        at.store(dxi, fma(at.load(xi), sum, at.load(qi)));
      };
      if (taps == r_rows && taps == 5) {  // the whole ring, in the order of its rows
        for_lanes_to(dxi, 0, count, stream, [=](auto at) {
          const Vec<T> pair = at.load(r) + at.load(r + row);
          const Vec<T> other = at.load(r + 2 * row) + at.load(r + 3 * row);
          finish(at, pair + other + at.load(r + 4 * row));
        });
      } else {
        for_lanes_to(dxi, 0, count, stream, [=](auto at) {
          finish(at, sum_of_terms<T>(taps, [=](std::int64_t m) {
                   return at.load(r + (m < head ? start + m : m - head) * row);
                 }));
        });
      }
    }
    stream_done(stream);
    if (range.left(limits_of(*shape)))
      wide_backward(*shape, x + offset, dy + offset, count, all_wide + thread * wide, dx + offset);
  });
}

// ---- the paper's window and beta: the loops of lrn_five.h ---------------------------------------

template <class T>
constexpr std::int64_t paper_row = 8192 / sizeof(T);  // pixels of a block

// Results go straight to `y` or, if they are to be streamed, to a small stage first: four channels
// begin at four different places in their cache lines, and streaming wants whole lines. The detour
// pays if several threads wait for the memory bus and a register is a whole line: measured with 2
// threads on 37 MB, AVX-512 gains a fifth. AVX2 loses a tenth, and so do both on outputs that the
// L3 cache holds.
template <class T>
LIMULUS_INLINE bool is_staged(std::int64_t bytes) {
  return Vec<T>::width * sizeof(T) == 64 && bytes >= 2 * stream_bytes;
}
template <class T>
struct Stage {
  T* rows;  // [4, paper_row]
  bool stream;
  LIMULUS_INLINE T* place(T* y, std::int64_t t, bool exists) const {
    return stream || !exists ? rows + t * paper_row<T> : y;
  }
  LIMULUS_INLINE void finish(T* y, std::int64_t t, std::int64_t count) const {
    const T* from = rows + t * paper_row<T>;
    if (stream) for_lanes_to(y, 0, count, true, [=](auto at) { at.store(y, at.load(from)); });
  }
};

template <class T>
void paper_forward(const Context& ctx, const LrnShape& s, const T* x, T* y) {
  constexpr std::int64_t row = paper_row<T>, item = static_cast<std::int64_t>(sizeof(T));
  const std::int64_t plane = s.h * s.w, channels = s.c, blocks = ceil_div(plane, row);
  const std::int64_t bytes = s.n * channels * plane * item;
  const bool stream = is_staged<T>(bytes);
  const LrnFactors<T> factors(s);
  const std::int64_t per_thread = 5 * row;  // a stage and a row of zeros
  const Scratch scratch(ctx, ctx.threads * per_thread * item);
  T* all = scratch.template as<T>();
  const LrnShape* shape = &s;

  parallel_for(ctx, s.n * blocks, 2 * bytes, [=](std::int64_t task, int thread) {
    const std::int64_t begin = task % blocks * row, count = smaller(row, plane - begin);
    const T* image = x + task / blocks * channels * plane;
    T* out = y + task / blocks * channels * plane + begin;
    const Stage<T> stage{all + thread * per_thread, stream};
    T* zeros = stage.rows + 4 * row;
    for_lanes<T>(0, count, [=](auto at) { at.store(zeros, Vec<T>::zero()); });
    for (std::int64_t i = 0; i < channels; i += 4) {
      T* to[4];
      for (std::int64_t t = 0; t < 4; ++t)
        to[t] = stage.place(out + (i + t) * plane, t, i + t < channels);
      normalize_group(*shape, image, i, begin, count, factors, zeros, to);
      for (std::int64_t t = 0; t < smaller(4, channels - i); ++t)
        stage.finish(out + (i + t) * plane, t, count);
    }
    stream_done(stream);
  });
}

template <class T>
void paper_backward(const Context& ctx, const LrnShape& s, const T* x, const T* dy, T* dx) {
  constexpr std::int64_t row = paper_row<T>, item = static_cast<std::int64_t>(sizeof(T));
  const std::int64_t plane = s.h * s.w, channels = s.c, blocks = ceil_div(plane, row);
  const std::int64_t bytes = s.n * channels * plane * item;
  const bool stream = is_staged<T>(bytes);
  const LrnFactors<T> factors(s);
  const std::int64_t per_thread = 11 * row;  // a stage, a row of zeros, six rows carried over
  const std::int64_t wide = lines_apart<double>(channels),
                     ring_bytes = ctx.threads * per_thread * item;
  const Scratch scratch(ctx, ring_bytes + ctx.threads * wide * 8);
  T* all = scratch.template as<T>();
  double* all_wide = reinterpret_cast<double*>(scratch.template as<char>() + ring_bytes);
  const LrnShape* shape = &s;

  parallel_for(ctx, s.n * blocks, 3 * bytes, [=](std::int64_t task, int thread) {
    const std::int64_t begin = task % blocks * row, count = smaller(row, plane - begin);
    const std::int64_t offset = task / blocks * channels * plane + begin;
    const Stage<T> stage{all + thread * per_thread, stream};
    T* zeros = stage.rows + 4 * row;
    const Carried<T> carried{zeros + row, zeros + 5 * row, row};
    for_lanes<T>(0, 7 * row, [=](auto at) { at.store(zeros, Vec<T>::zero()); });
    ScaleRange<T> range;
    // The group before the first has no channels: it only makes what it carries over to the first.
    for (std::int64_t i = -4; i < channels; i += 4) {
      const T *xi = x + offset + i * plane, *dyi = dy + offset + (i + 2) * plane;
      T* to[4];
      for (std::int64_t t = 0; t < 4; ++t)
        to[t] = stage.place(dx + offset + (i + t) * plane, t, i >= 0 && i + t < channels);
      if (i >= 0 && i + 12 <= channels)
        gradient_of_four(Channels<T>{xi, plane}, Channels<T>{dyi, plane}, count, factors, carried,
                         range, to[0], to[1], to[2], to[3]);
      else
        gradient_of_four(EdgeChannels<T>(xi, plane, i, channels, zeros),
                         EdgeChannels<T>(dyi, plane, i + 2, channels, zeros), count, factors,
                         carried, range, to[0], to[1], to[2], to[3]);
      for (std::int64_t t = 0; i >= 0 && t < smaller(4, channels - i); ++t)
        stage.finish(dx + offset + (i + t) * plane, t, count);
    }
    stream_done(stream);
    if (range.left(limits_of(*shape)))
      wide_backward(*shape, x + offset, dy + offset, count, all_wide + thread * wide, dx + offset);
  });
}

}  // namespace

template <class T>
void lrn_across_forward(const Context& ctx, const LrnShape& s, const T* x, T* y) {
  if (is_paper_lrn(s)) return paper_forward(ctx, s, x, y);
  if (s.beta == 0.75) return forward(ctx, s, x, y, ThreeQuarters<T>{});
  forward(ctx, s, x, y, AnyBeta<T>{Vec<T>::set(static_cast<T>(s.beta))});
}

template <class T>
void lrn_across_backward(const Context& ctx, const LrnShape& s, const T* x, const T* dy, T* dx) {
  if (is_paper_lrn(s)) return paper_backward(ctx, s, x, dy, dx);
  if (s.beta == 0.75) return backward(ctx, s, x, dy, dx, ThreeQuarters<T>{});
  backward(ctx, s, x, dy, dx, AnyBeta<T>{Vec<T>::set(static_cast<T>(s.beta))});
}

template void lrn_across_forward(const Context&, const LrnShape&, const float*, float*);
template void lrn_across_forward(const Context&, const LrnShape&, const double*, double*);
template void lrn_across_backward(const Context&, const LrnShape&, const float*, const float*,
                                  float*);
template void lrn_across_backward(const Context&, const LrnShape&, const double*, const double*,
                                  double*);

}  // namespace limulus::cpu::LIMULUS_ISA
